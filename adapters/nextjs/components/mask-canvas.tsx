'use client';

import { useEffect, useRef, type CSSProperties, type KeyboardEvent, type PointerEvent } from 'react';
import type { InputPicture } from '../lib/input-picture';
import { drawStroke, drawStrokes, moved, type Point, type Stroke } from '../lib/mask';
import type { Size } from '../lib/shapes';
import { useBrush, type Brush } from '../lib/use-brush';
import { useObjectUrl } from '../lib/use-object-url';
import { isCrisp } from './frame';
import { maskContext } from './mask-overlay';

interface Props {
  picture: InputPicture;
  /** Of the mask. */
  size: Size;
  strokes: Stroke[];
  radius: number;
  add: (stroke: Stroke) => void;
}

/** A picture to paint over, by finger, pen, mouse or keys. */
export function MaskCanvas({ picture, size, strokes, radius, add }: Props) {
  const url = useObjectUrl(picture.blob);
  const canvas = useRef<HTMLCanvasElement>(null);
  const onContext = (draw: (context: CanvasRenderingContext2D) => void) => {
    const context = maskContext(canvas.current);
    if (context) {
      draw(context);
    }
  };
  const brush = useBrush(size, radius, stroke => onContext(context => drawStroke(context, stroke)), add);
  useEffect(() => onContext(context => drawStrokes(context, strokes)), [strokes, size.width, size.height]);

  return (
    <div className="mask-room" style={{ '--width': size.width, '--height': size.height } as CSSProperties}>
      {url && <img src={url} alt="" data-crisp={isCrisp(picture.size) || undefined} />}
      <canvas
        ref={canvas}
        className="mask-overlay"
        width={size.width}
        height={size.height}
        role="application"
        aria-label="Mask brush"
        aria-describedby="mask-help"
        tabIndex={0}
        onPointerDown={event => {
          if (event.button === 0) {
            event.currentTarget.setPointerCapture(event.pointerId);
            brush.putDown(pointOf(event, event.currentTarget, size));
          }
        }}
        onPointerMove={event => places(event).forEach(place => brush.moveTo(pointOf(place, event.currentTarget, size)))}
        onPointerUp={brush.lift}
        onPointerCancel={brush.lift}
        onKeyDown={event => paintByKey(event, brush, radius, size)}
        onKeyUp={event => event.key === ' ' && brush.lift()}
        onBlur={brush.lift}
      />
      <span className="mask-brush" aria-hidden="true" style={ringOf(brush.at, radius, size)} />
    </div>
  );
}

const DIRECTIONS: Partial<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Arrows move; Space paints while it is held; Enter, for one key at a time, puts the brush down and lifts it. */
function paintByKey(event: KeyboardEvent, brush: Brush, radius: number, size: Size): void {
  const direction = DIRECTIONS[event.key];
  if (direction === undefined && event.key !== ' ' && event.key !== 'Enter') {
    return;
  }
  event.preventDefault();
  if (direction !== undefined) {
    const far = radius * (event.shiftKey ? 2 : 0.5);
    brush.moveTo(moved(brush.at, { x: direction.x * far, y: direction.y * far }, size));
  } else if (!event.repeat && event.key === 'Enter' && brush.isDown()) {
    brush.lift();
  } else if (!event.repeat) {
    brush.putDown(brush.at);
  }
}

/** A fast finger is told of once a frame, with all the places where it has been. */
function places(event: PointerEvent): { clientX: number; clientY: number }[] {
  const events = event.nativeEvent.getCoalescedEvents?.() ?? [];
  return events.length > 0 ? events : [event];
}

function pointOf(place: { clientX: number; clientY: number }, canvas: Element, size: Size): Point {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const x = ((place.clientX - left) / width) * size.width;
  const y = ((place.clientY - top) / height) * size.height;
  return moved({ x: 0, y: 0 }, { x, y }, size);
}

function ringOf(point: Point, radius: number, size: Size): CSSProperties {
  return {
    left: `${(point.x / size.width) * 100}%`,
    top: `${(point.y / size.height) * 100}%`,
    width: `${((radius * 2) / size.width) * 100}%`,
  };
}
