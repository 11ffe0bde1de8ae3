import { APICallError, type ImageModelV3File } from '@ai-sdk/provider';
import {
  combineHeaders,
  createEventSourceResponseHandler,
  postJsonToApi,
  retryWithExponentialBackoff,
} from '@ai-sdk/provider-utils';
import type { CalotypeConfig } from './calotype-config.js';
import { calotypeFailedResponseHandler } from './calotype-error.js';
import type { CalotypeImageModelOptions } from './calotype-image-model-options.js';
import { toImageRequest } from './calotype-image-request.js';
import type { CalotypeImageModelId } from './calotype-image-settings.js';
import { CalotypeImageStream, type CalotypeImageStreamPart } from './calotype-image-stream.js';
import { streamEventSchema, type CompletedEvent } from './calotype-stream-events.js';
import { toFinish, toPart } from './calotype-stream-parts.js';
import { retryDelayMilliseconds } from './retry-delay.js';

/** Words, or words and pictures: base64, data URIs, http(s) URLs, or bytes. As `generateImage` has it. */
export type CalotypeImagePrompt =
  | string
  | { text?: string; images: CalotypeImageInput[]; mask?: CalotypeImageInput };

export type CalotypeImageInput = string | Uint8Array | ArrayBuffer;

export interface CalotypeStreamImageOptions {
  /** Default: the server's own. */
  model?: CalotypeImageModelId;
  prompt: CalotypeImagePrompt;
  /** Pictures. Default: 1. */
  n?: number;
  size?: `${number}x${number}`;
  aspectRatio?: `${number}:${number}`;
  seed?: number;
  /** Previews of each picture on its way, 0 to 3. Default: 2. */
  previews?: number;
  providerOptions?: { calotype?: CalotypeImageModelOptions };
  /** Attempts after the first, as long as nothing has come. Default: 2. */
  maxRetries?: number;
  abortSignal?: AbortSignal;
  headers?: Record<string, string | undefined>;
}

export function streamImage(config: CalotypeConfig, options: CalotypeStreamImageOptions): CalotypeImageStream {
  return new CalotypeImageStream(abortSignal => readParts(config, options, abortSignal), options.abortSignal);
}

async function* readParts(
  config: CalotypeConfig,
  options: CalotypeStreamImageOptions,
  abortSignal: AbortSignal,
): AsyncGenerator<CalotypeImageStreamPart> {
  const url = `${config.baseURL()}/images/generations`;
  const { headers, body } = toStreamRequest(options);
  const open = () =>
    postJsonToApi({
      url,
      headers: combineHeaders(config.headers(), headers, options.headers),
      body,
      failedResponseHandler: calotypeFailedResponseHandler,
      successfulResponseHandler: createEventSourceResponseHandler(streamEventSchema),
      abortSignal,
      fetch: config.fetch,
    });
  const { value: events, responseHeaders } = await retried(open, options.maxRetries, abortSignal);
  const fail = (message: string, more?: { cause?: unknown; data?: unknown; isRetryable?: boolean }): never => {
    throw new APICallError({ message, url, requestBodyValues: body, statusCode: 200, responseHeaders, ...more });
  };

  const completed: CompletedEvent[] = [];
  for await (const parsed of iterate(events)) {
    if (!parsed.success) {
      return fail('Invalid event in the stream', { cause: parsed.error });
    }
    const event = parsed.value;
    if ('error' in event) {
      return fail(event.error.message, { data: event });
    }
    if (event.type === 'image_generation.completed') {
      completed.push(event);
    }
    const part = toPart(event);
    if (part !== undefined) {
      yield part;
    }
  }
  if (completed.length === 0) {
    return fail('The stream ended without a picture', { isRetryable: true });
  }
  yield toFinish(completed);
}

function toStreamRequest({ prompt, previews = 2, n = 1, ...options }: CalotypeStreamImageOptions) {
  const pictures = typeof prompt === 'string' ? { text: prompt, images: [], mask: undefined } : prompt;
  const { headers, body } = toImageRequest(options.model, {
    prompt: pictures.text,
    n,
    size: options.size,
    aspectRatio: options.aspectRatio,
    seed: options.seed,
    files: pictures.images.map(toFile),
    mask: pictures.mask === undefined ? undefined : toFile(pictures.mask),
    providerOptions: options.providerOptions?.calotype ? { calotype: options.providerOptions.calotype } : {},
  });
  return { headers, body: { ...body, stream: true, progress: true, partial_images: previews } };
}

function toFile(input: CalotypeImageInput): ImageModelV3File {
  if (typeof input !== 'string') {
    return { type: 'file', mediaType: MEDIA_TYPE, data: input instanceof Uint8Array ? input : new Uint8Array(input) };
  }
  return /^(https?|data):/i.test(input)
    ? { type: 'url', url: input }
    : { type: 'file', mediaType: MEDIA_TYPE, data: input };
}

/** A data URI has to say one; the server goes by the bytes. */
const MEDIA_TYPE = 'image/png';

function retried<T>(open: () => PromiseLike<T>, maxRetries: number | undefined, abortSignal: AbortSignal) {
  return retryWithExponentialBackoff({
    maxRetries,
    abortSignal,
    shouldRetry: error => APICallError.isInstance(error) && error.isRetryable,
    getDelayInMs: retryDelayMilliseconds,
    // The last answer says more than a count of attempts.
    createRetryError: ({ errors }) => errors.at(-1),
  })(open);
}

/** A ReadableStream is no AsyncIterable in every browser yet. Who leaves the loop cancels it. */
async function* iterate<T>(stream: ReadableStream<T>): AsyncGenerator<T> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
