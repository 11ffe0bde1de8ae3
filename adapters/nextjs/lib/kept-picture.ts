/** A finished picture, with all that is needed to paint it again. Pure. */
import type { CalotypeImageStreamPart } from 'calotype-ai-provider';
import type { Size } from './shapes';
import { toSize } from './shapes';
import type { ImageRequest, Wishes } from './wishes';

export interface KeptPicture {
  id: string;
  /** Milliseconds since 1970, with fractions: pictures of one request stay in order. */
  paintedAt: number;
  blob: Blob;
  size: Size;
  prompt: string;
  model: string;
  seed?: number;
  milliseconds?: number;
  wishes: Wishes;
  /** It was painted from pictures, which are not kept. */
  fromPictures: boolean;
}

/** One painting that was asked for. */
export interface Job {
  request: ImageRequest;
  wishes: Wishes;
  /** Of the picture, as far as it is known before. */
  shape: Size;
}

export type ImagePart = Extract<CalotypeImageStreamPart, { type: 'image' }>;

export function toKeptPicture(job: Job, { image, metadata }: ImagePart): KeptPicture {
  return {
    id: randomId(),
    paintedAt: performance.timeOrigin + performance.now(),
    blob: toBlob(image),
    size: metadata.size === undefined ? job.shape : toSize(metadata.size),
    prompt: job.request.prompt,
    model: metadata.modelId ?? job.request.model,
    seed: metadata.seed,
    milliseconds: metadata.milliseconds,
    wishes: job.wishes,
    fromPictures: job.request.image !== undefined,
  };
}

/** The wishes that paint it again. */
export function wishesOf({ wishes, seed }: KeptPicture): Wishes {
  return { ...wishes, count: 1, seed: seed === undefined ? '' : String(seed) };
}

/** What a picture without words is called. */
export function titleOf({ prompt }: { prompt: string }): string {
  return prompt === '' ? 'a picture painted without words' : prompt;
}

/** "a red fox!" with seed 7 -> "a-red-fox-7.png" */
export function fileNameOf({ prompt, seed, blob }: KeptPicture): string {
  const words = prompt.toLowerCase().match(/[\p{Letter}\p{Number}]+/gu) ?? ['picture'];
  const name = words.join('-').slice(0, FILE_NAME_LENGTH_MAX).replace(/-$/, '');
  const ending = blob.type === 'image/jpeg' ? 'jpg' : blob.type.replace(/^image\//, '');
  return `${[name, seed].filter(part => part !== undefined).join('-')}.${ending}`;
}

const FILE_NAME_LENGTH_MAX = 60;

function toBlob({ base64, mediaType }: { base64: string; mediaType: string }): Blob {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  return new Blob([bytes], { type: mediaType });
}

/** `crypto.randomUUID` is there on https and localhost only; a phone in the same room comes by address. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), word => word.toString(36)).join('-');
}
