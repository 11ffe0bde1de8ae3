/** How one painting stands, as its events come in. Pure. */
import type { CalotypeImageStreamPart, CalotypeStreamedImage } from 'calotype-ai-provider';
import type { Job, KeptPicture } from './kept-picture';
import type { Warning } from './warnings';

export interface Painting {
  state: 'idle' | 'painting' | 'done' | 'cancelled' | 'failed';
  job?: Job;
  frames: Frame[];
  queue?: { position: number; seconds?: number };
  warnings: Warning[];
  failure?: Failure;
}

/** One picture on its way. */
export interface Frame {
  step: number;
  steps: number;
  preview?: CalotypeStreamedImage;
  picture?: KeptPicture;
}

export interface Failure {
  message: string;
  /** Of the request. */
  parameter?: string;
  /** When to try again, where the server says. */
  retryAfterSeconds?: number;
}

export type PaintingEvent =
  | { type: 'start'; job: Job }
  | { type: 'part'; part: Exclude<CalotypeImageStreamPart, { type: 'image' }> }
  | { type: 'picture'; imageIndex: number; picture: KeptPicture }
  | { type: 'cancelled' }
  | { type: 'failed'; failure: Failure };

export const NO_PAINTING: Painting = { state: 'idle', frames: [], warnings: [] };

export function paintingAfter(painting: Painting, event: PaintingEvent): Painting {
  switch (event.type) {
    case 'start':
      return { ...NO_PAINTING, state: 'painting', job: event.job, frames: emptyFrames(event.job.request.n) };
    case 'part':
      return paintingAfterPart(painting, event.part);
    case 'picture':
      return withFrame(painting, event.imageIndex, { picture: event.picture });
    case 'cancelled':
      return { ...painting, state: 'cancelled', queue: undefined };
    case 'failed':
      return { ...painting, state: 'failed', queue: undefined, failure: event.failure };
  }
}

/** From 0 to 1; `undefined` until the first step. */
export function progressOf({ frames }: Painting): number | undefined {
  const done = frames.map(({ picture, step, steps }) => (picture ? 1 : steps > 0 ? Math.min(step / steps, 1) : 0));
  const sum = done.reduce((one, other) => one + other, 0);
  return sum === 0 ? undefined : sum / frames.length;
}

export function finishedPictures({ frames }: Painting): KeptPicture[] {
  return frames.flatMap(({ picture }) => picture ?? []);
}

function paintingAfterPart(painting: Painting, part: Extract<PaintingEvent, { type: 'part' }>['part']): Painting {
  switch (part.type) {
    case 'queued':
      return { ...painting, queue: { position: part.position, seconds: part.seconds } };
    case 'progress':
      return withFrame(painting, part.imageIndex, { step: part.step, steps: part.steps });
    case 'preview':
      return withFrame(painting, part.imageIndex, { preview: part.image });
    case 'finish':
      return { ...painting, state: 'done', queue: undefined, warnings: part.warnings };
  }
}

/** What paints waits no more. */
function withFrame(painting: Painting, index: number, change: Partial<Frame>): Painting {
  const frames = painting.frames.map((frame, at) => (at === index ? { ...frame, ...change } : frame));
  return { ...painting, queue: undefined, frames };
}

function emptyFrames(count: number): Frame[] {
  return Array.from({ length: count }, () => ({ step: 0, steps: 0 }));
}
