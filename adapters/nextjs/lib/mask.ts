/** What is painted anew of a picture, as strokes of a round brush, and as the PNG that says it. */
import type { Size } from './shapes';

/** In pixels of the mask. */
export interface Point {
  x: number;
  y: number;
}

export interface Stroke {
  points: Point[];
  radius: number;
}

/** Enough for a soft edge on any picture, and little to send. */
export const MASK_SIDE = 1024;

/** The brush, as a share of the mask's longer side. */
export const BRUSH = { min: 0.02, max: 0.3, step: 0.01, default: 0.1 };

/** A mask has the shape of its picture, not its pixels: small pictures' are enlarged by a whole number. */
export function maskSize({ width, height }: Size): Size {
  const longer = Math.max(width, height);
  const scale = longer <= MASK_SIDE ? Math.floor(MASK_SIDE / longer) : MASK_SIDE / longer;
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Moves within the mask: the brush never leaves it. */
export function moved(point: Point, by: Point, { width, height }: Size): Point {
  const between = (value: number, most: number) => Math.min(Math.max(value, 0), most);
  return { x: between(point.x + by.x, width), y: between(point.y + by.y, height) };
}

export function drawStroke(context: CanvasRenderingContext2D, { points, radius }: Stroke): void {
  const [first, ...others] = points;
  if (first === undefined) {
    return;
  }
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.lineWidth = radius * 2;
  context.beginPath();
  context.moveTo(first.x, first.y);
  // A line to where it began is a dot.
  (others.length > 0 ? others : [first]).forEach(({ x, y }) => context.lineTo(x, y));
  context.stroke();
}

export function drawStrokes(context: CanvasRenderingContext2D, strokes: Stroke[]): void {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  strokes.forEach(stroke => drawStroke(context, stroke));
}

/** A data URI: black all over, transparent where something new is painted. */
export function toMaskPng(strokes: Stroke[], size: Size): string {
  const context = newContext(size);
  context.fillRect(0, 0, size.width, size.height);
  context.globalCompositeOperation = 'destination-out';
  strokes.forEach(stroke => drawStroke(context, stroke));
  return context.canvas.toDataURL('image/png');
}

/** The share of a picture that is painted anew, from 0 to 1. */
export function paintedShare(strokes: Stroke[], size: Size): number {
  const context = newContext({ width: SAMPLES_ACROSS, height: SAMPLES_ACROSS });
  context.scale(SAMPLES_ACROSS / size.width, SAMPLES_ACROSS / size.height);
  strokes.forEach(stroke => drawStroke(context, stroke));
  const { data } = context.getImageData(0, 0, SAMPLES_ACROSS, SAMPLES_ACROSS);
  let painted = 0;
  for (let alpha = 3; alpha < data.length; alpha += 4) {
    painted += (data[alpha] ?? 0) > 127 ? 1 : 0;
  }
  return painted / (SAMPLES_ACROSS * SAMPLES_ACROSS);
}

const SAMPLES_ACROSS = 64;

function newContext({ width, height }: Size): CanvasRenderingContext2D {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  if (context === null) {
    throw new Error('This browser has no canvas to paint a mask on.');
  }
  return context;
}
