import { toImageMetadata } from './calotype-image-metadata.js';
import type { CalotypeImageStreamPart, CalotypeStreamedImage } from './calotype-image-stream.js';
import type { CompletedEvent, StreamEvent } from './calotype-stream-events.js';
import { addUsage, toUsage } from './calotype-usage.js';
import { toWarning } from './calotype-warning.js';

/** `undefined` for what this version does not know. */
export function toPart(event: StreamEvent | { type: 'unknown' }): CalotypeImageStreamPart | undefined {
  switch (event.type) {
    case 'image_generation.queued':
      return { type: 'queued', position: event.position, seconds: event.seconds ?? undefined };
    case 'image_generation.progress':
      return { type: 'progress', imageIndex: event.image_index, step: event.step, steps: event.steps };
    case 'image_generation.partial_image':
      return {
        type: 'preview',
        imageIndex: event.image_index,
        previewIndex: event.partial_image_index,
        image: toImage(event),
      };
    case 'image_generation.completed':
      return {
        type: 'image',
        imageIndex: event.image_index,
        image: toImage(event),
        metadata: toImageMetadata(event, event),
      };
    case 'unknown':
      return undefined;
  }
}

/** Each finished picture names all of the call's warnings, and its own share of the usage. */
export function toFinish(completed: CompletedEvent[]): CalotypeImageStreamPart {
  const inOrder = [...completed].sort((one, other) => one.image_index - other.image_index);
  return {
    type: 'finish',
    warnings: (inOrder[0]?.warnings ?? []).map(toWarning),
    usage: inOrder.map(event => toUsage(event.usage)).reduce(addUsage, undefined),
    providerMetadata: { calotype: { images: inOrder.map(event => toImageMetadata(event, event)) } },
  };
}

function toImage(event: { b64_json: string; output_format: string }): CalotypeStreamedImage {
  return { base64: event.b64_json, mediaType: `image/${event.output_format}` };
}
