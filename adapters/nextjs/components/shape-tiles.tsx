'use client';

import type { CSSProperties } from 'react';
import { AUTOMATIC, type Shape } from '../lib/shapes';
import { RadioTiles } from './radio-tiles';

interface Props {
  shapes: Shape[];
  value: Shape;
  change: (label: string) => void;
  /** "Auto" then follows it. */
  hasPicture: boolean;
}

/** "Aspect ratio", each drawn in its own shape. One shape alone is nothing to choose. */
export function ShapeTiles({ shapes, value, change, hasPicture }: Props) {
  if (shapes.length < 2) {
    return null;
  }
  return (
    <RadioTiles
      name="shape"
      legend="Aspect ratio"
      options={shapes.map(shape => ({
        value: shape.label,
        label: shape.label,
        drawing: <ShapeDrawing shape={shape} />,
      }))}
      value={value.label}
      change={change}
      hint={hintOf(value, hasPicture)}
    />
  );
}

function hintOf({ label, detail }: Shape, hasPicture: boolean): string | undefined {
  if (label === AUTOMATIC && hasPicture) {
    return 'The shape of the picture given.';
  }
  return detail === undefined ? undefined : `${detail} pixels`;
}

function ShapeDrawing({ shape: { label, width, height } }: { shape: Shape }) {
  const longer = Math.max(width, height);
  const style = { '--across': width / longer, '--down': height / longer } as CSSProperties;
  return (
    <span
      className="shape-drawing"
      style={style}
      data-automatic={label === AUTOMATIC || undefined}
      aria-hidden="true"
    />
  );
}
