/** Which shapes a model's card offers, and what they are called. Pure. */
import type { CalotypeModelCard } from 'calotype-ai-provider';

export interface Size {
  width: number;
  height: number;
}

/** One entry of "Aspect ratio": its request is either an exact size of the card, or a ratio that the server fits. */
export interface Shape extends Size {
  /** "16:9"; what it is chosen and called by. */
  label: string;
  /** As it will be painted, where that is certain: "176 × 96". */
  detail?: string;
  request: { size: string } | { aspectRatio: string } | Record<string, never>;
}

export const AUTOMATIC = 'Auto';

/** Two shapes are the same to a person within 5 %, as the server has it: 1792x1024 is 16:9 to all but a calculator. */
const RATIO_TOLERANCE = 0.05;

const COMMON_RATIOS = ['1:1', '4:3', '3:4', '3:2', '2:3', '5:3', '3:5', '16:9', '9:16', '2:1', '1:2', '21:9', '9:21'];

/** Of these, for models that paint more or less any shape. */
const OFFERED_RATIOS = ['1:1', '4:3', '3:4', '3:2', '2:3', '16:9', '9:16', '21:9', '9:21'];

/** The first is "Auto": the model's own, or that of the picture given. */
export function shapesOf(card: CalotypeModelCard): [Shape, ...Shape[]] {
  const own = toSize(card.defaultSize);
  const automatic: Shape = { label: AUTOMATIC, detail: inPixels(own), ...own, request: {} };
  if (card.sizes.length > 0) {
    return [automatic, ...distinct(card.sizes.map(listedShape))];
  }
  if (card.sizeRange === undefined) {
    return [automatic];
  }
  const offered = OFFERED_RATIOS.filter(ratio => longToShort(toSize(ratio)) <= card.aspectRatioMax + 1e-9);
  return [automatic, ...offered.map(ratio => ratioShape(ratio, own))];
}

/** What the picture will be like, as far as that is known before: "Auto" follows the picture given. */
export function expectedSize(shape: Shape, given: Size | undefined): Size {
  return shape.label === AUTOMATIC && given !== undefined ? inShapeOf(given, shape) : shape;
}

export function toSize(text: string): Size {
  const [width = 1, height = 1] = text.split(/[x:]/).map(Number);
  return { width, height };
}

function listedShape(text: string): Shape {
  const size = toSize(text);
  return { label: ratioName(size), detail: inPixels(size), ...size, request: { size: text } };
}

function inPixels({ width, height }: Size): string {
  return `${width} × ${height}`;
}

/** The server finds the exact sides. */
function ratioShape(ratio: string, own: Size): Shape {
  return { label: ratio, ...inShapeOf(toSize(ratio), own), request: { aspectRatio: ratio } };
}

/** As many pixels as `own` has. */
function inShapeOf({ width, height }: Size, own: Size): Size {
  const scale = Math.sqrt((own.width * own.height) / (width * height));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** The common name of a shape, or its ratio in lowest terms. */
export function ratioName(size: Size): string {
  const [nearest] = COMMON_RATIOS.map(name => ({ name, distance: ratioDistance(size, toSize(name)) })).sort(
    (one, other) => one.distance - other.distance,
  );
  if (nearest !== undefined && nearest.distance <= RATIO_TOLERANCE) {
    return nearest.name;
  }
  const divisor = greatestCommonDivisor(size.width, size.height);
  return `${size.width / divisor}:${size.height / divisor}`;
}

/** Sizes of one shape are told apart by their pixels. */
function distinct(shapes: Shape[]): Shape[] {
  const count = (label: string) => shapes.filter(shape => shape.label === label).length;
  return shapes.map(shape => (count(shape.label) > 1 ? { ...shape, label: `${shape.label}, ${shape.detail}` } : shape));
}

function ratioDistance(one: Size, other: Size): number {
  return Math.abs(Math.log((one.width * other.height) / (one.height * other.width)));
}

function longToShort({ width, height }: Size): number {
  return Math.max(width, height) / Math.min(width, height);
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
