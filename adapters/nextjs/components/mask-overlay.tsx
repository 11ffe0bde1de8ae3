'use client';

import { useEffect, useRef } from 'react';
import { drawStrokes, type Stroke } from '../lib/mask';
import type { Size } from '../lib/shapes';

/** The mask over its picture, for the eye. */
export function MaskOverlay({ strokes, size }: { strokes: Stroke[]; size: Size }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = maskContext(canvas.current);
    if (context) {
      drawStrokes(context, strokes);
    }
  }, [strokes, size.width, size.height]);
  return <canvas className="mask-overlay" ref={canvas} width={size.width} height={size.height} aria-hidden="true" />;
}

/** Paints in stripes of two colours: no picture hides them both. */
export function maskContext(canvas: HTMLCanvasElement | null): CanvasRenderingContext2D | undefined {
  const context = canvas?.getContext('2d') ?? undefined;
  if (context) {
    context.strokeStyle = context.createPattern(stripes(), 'repeat') ?? DARK;
  }
  return context;
}

const DARK = '#d3115c';
const LIGHT = '#ffd3e3';
const STRIPE = 12;

function stripes(): HTMLCanvasElement {
  const tile = Object.assign(document.createElement('canvas'), { width: 2 * STRIPE, height: 2 * STRIPE });
  const context = tile.getContext('2d');
  if (context) {
    context.fillStyle = DARK;
    context.fillRect(0, 0, tile.width, tile.height);
    context.strokeStyle = LIGHT;
    context.lineWidth = STRIPE / 3;
    for (const offset of [-2 * STRIPE, 0, 2 * STRIPE]) {
      context.moveTo(offset - STRIPE, 3 * STRIPE);
      context.lineTo(offset + 3 * STRIPE, -STRIPE);
    }
    context.stroke();
  }
  return tile;
}
