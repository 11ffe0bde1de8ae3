import type { SharedV3Warning } from '@ai-sdk/provider';
import type { CalotypeImageStreamPart } from '../calotype-image-stream.js';
import type { CalotypeModel } from '../calotype-models.js';
import type { ImageRouteError } from './image-route-error.js';

/** What `POST` answers who does not ask for events. */
export interface ImageRouteAnswer {
  /** The first picture: base64. */
  image: string;
  images: ImageRouteImage[];
  /** Of the first picture. */
  seed?: number;
  /** What was not done, or not exactly as asked. */
  warnings: SharedV3Warning[];
}

export interface ImageRouteImage {
  base64: string;
  mediaType: string;
  /** Paints this picture again. */
  seed?: number;
  /** As it was painted. */
  size?: string;
}

/** What `GET` answers. */
export interface ImageRouteModels {
  models: CalotypeModel[];
}

/** What both answer instead, with a status of 400 or above. */
export interface ImageRouteFailure {
  error: string;
  /** The field of the body that is wrong. */
  parameter?: string;
}

/** `warnings` come before the server's own. */
export async function toAnswer(
  parts: AsyncIterable<CalotypeImageStreamPart>,
  warnings: readonly SharedV3Warning[],
): Promise<ImageRouteAnswer> {
  const painted: Array<ImagePart> = [];
  const told = [...warnings];
  for await (const part of parts) {
    if (part.type === 'image') {
      painted.push(part);
    } else if (part.type === 'finish') {
      told.push(...part.warnings);
    }
  }
  const images = painted.sort((one, other) => one.imageIndex - other.imageIndex).map(toImage);
  // A stream without any picture has failed.
  return { image: images[0]!.base64, images, seed: images[0]!.seed, warnings: told };
}

type ImagePart = Extract<CalotypeImageStreamPart, { type: 'image' }>;

function toImage({ image, metadata }: ImagePart): ImageRouteImage {
  return { base64: image.base64, mediaType: image.mediaType, seed: metadata.seed, size: metadata.size };
}

export function toFailureResponse({ status, message, parameter, retryAfter }: ImageRouteError): Response {
  const headers = retryAfter === undefined ? undefined : { 'retry-after': retryAfter };
  return toJsonResponse({ error: message, parameter } satisfies ImageRouteFailure, { status, headers });
}

/** Pictures and failures are the caller's own: nobody on the way keeps them. */
export function toJsonResponse(body: object, init?: ResponseInit): Response {
  const response = Response.json(body, init);
  response.headers.set('cache-control', 'no-store');
  return response;
}
