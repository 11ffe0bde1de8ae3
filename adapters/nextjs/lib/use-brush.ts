'use client';

import { useRef, useState } from 'react';
import type { Point, Stroke } from './mask';
import type { Size } from './shapes';

export interface Brush {
  at: Point;
  isDown: () => boolean;
  putDown: (at: Point) => void;
  moveTo: (to: Point) => void;
  lift: () => void;
}

/** A brush that starts in the middle. What it paints is drawn at once, and handed on as a stroke when it is lifted. */
export function useBrush(
  size: Size,
  radius: number,
  draw: (stroke: Stroke) => void,
  add: (stroke: Stroke) => void,
): Brush {
  const [at, setAt] = useState<Point>({ x: size.width / 2, y: size.height / 2 });
  const stroke = useRef<Stroke>(undefined);

  const moveTo = (to: Point) => {
    setAt(to);
    if (stroke.current) {
      stroke.current.points.push(to);
      draw({ ...stroke.current, points: stroke.current.points.slice(-2) });
    }
  };
  const putDown = (point: Point) => {
    if (stroke.current === undefined) {
      stroke.current = { points: [], radius };
      moveTo(point);
    }
  };
  const lift = () => {
    const painted = stroke.current;
    stroke.current = undefined;
    if (painted) {
      add(painted);
    }
  };
  return { at, isDown: () => stroke.current !== undefined, putDown, moveTo, lift };
}
