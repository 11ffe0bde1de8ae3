import {
  APICallError,
  type ImageModelV3ProviderMetadata,
  type ImageModelV3Usage,
  type SharedV3Warning,
} from '@ai-sdk/provider';
import type { CalotypeImageMetadata } from './calotype-image-metadata.js';

export type CalotypeImageStreamPart =
  /** The call waits; `position` others are before it, for about `seconds` where the server can tell. */
  | { type: 'queued'; position: number; seconds?: number }
  /** Picture `imageIndex` has done `step` of `steps` denoising steps. */
  | { type: 'progress'; imageIndex: number; step: number; steps: number }
  /** How picture `imageIndex` looks so far. */
  | { type: 'preview'; imageIndex: number; previewIndex: number; image: CalotypeStreamedImage }
  /** Picture `imageIndex` is finished. */
  | { type: 'image'; imageIndex: number; image: CalotypeStreamedImage; metadata: CalotypeImageMetadata }
  /** Always the last. */
  | {
      type: 'finish';
      warnings: SharedV3Warning[];
      usage?: ImageModelV3Usage;
      providerMetadata: ImageModelV3ProviderMetadata;
    };

/** In a page: `data:${mediaType};base64,${base64}`. */
export type CalotypeStreamedImage = { base64: string; mediaType: string };

export interface EventStreamOptions {
  /** What the reader of the events is told of a failure. Default: what the server said of the call, and nothing else. */
  onError?: (error: unknown) => string;
}

/** Reads `parts` once; they are asked for when somebody reads. Who stops reading stops the work. */
export class CalotypeImageStream implements AsyncIterable<CalotypeImageStreamPart> {
  private readonly abortController = new AbortController();
  private isTaken = false;

  constructor(
    private readonly parts: (abortSignal: AbortSignal) => AsyncIterator<CalotypeImageStreamPart>,
    private readonly abortSignal?: AbortSignal,
  ) {}

  [Symbol.asyncIterator](): AsyncIterator<CalotypeImageStreamPart> {
    if (this.isTaken) {
      throw new TypeError('a stream of pictures can be read once, and somebody reads this one');
    }
    this.isTaken = true;
    const stop = this.followCaller();
    const parts = this.parts(this.abortController.signal);
    return {
      next: async () => {
        const result = await parts.next().catch(error => {
          stop();
          throw error;
        });
        if (result.done) {
          stop();
        }
        return result;
      },
      return: async () => {
        // First, since a generator's `return` waits for what it is at.
        this.abortController.abort();
        stop();
        await parts.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** Server-sent events for a route handler's answer; `readImageStream` reads them. */
  toEventStream({ onError = publicMessage }: EventStreamOptions = {}): ReadableStream<Uint8Array> {
    const parts = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    const encode = (part: object) => encoder.encode(`data: ${JSON.stringify(part)}\n\n`);
    let keepAlive: ReturnType<typeof setInterval>;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        keepAlive = setInterval(() => controller.enqueue(encoder.encode(': at work\n\n')), KEEP_ALIVE_MILLISECONDS);
      },
      async pull(controller) {
        try {
          const { done, value } = await parts.next();
          if (!done) {
            controller.enqueue(encode(value));
            return;
          }
        } catch (error) {
          controller.enqueue(encode({ type: 'error', message: onError(error) }));
        }
        clearInterval(keepAlive);
        controller.close();
      },
      async cancel() {
        clearInterval(keepAlive);
        await parts.return?.();
      },
    });
  }

  /** `toEventStream` as the whole answer of a route handler. */
  toEventStreamResponse({ onError, ...init }: EventStreamOptions & ResponseInit = {}): Response {
    const headers = new Headers(init.headers);
    for (const [name, value] of EVENT_STREAM_HEADERS) {
      if (!headers.has(name)) {
        headers.set(name, value);
      }
    }
    return new Response(this.toEventStream({ onError }), { ...init, headers });
  }

  /** Ends with the caller's signal; the function returned ends that. */
  private followCaller(): () => void {
    const signal = this.abortSignal;
    const abort = () => this.abortController.abort(signal?.reason);
    if (signal?.aborted) {
      abort();
    }
    signal?.addEventListener('abort', abort, { once: true });
    return () => signal?.removeEventListener('abort', abort);
  }
}

/** Proxies give up on a connection that says nothing, commonly after a minute. */
export const KEEP_ALIVE_MILLISECONDS = 15_000;

const EVENT_STREAM_HEADERS = [
  ['content-type', 'text/event-stream; charset=utf-8'],
  ['cache-control', 'no-cache'],
  // Asks a proxy not to collect what is meant to be seen at once.
  ['x-accel-buffering', 'no'],
] as const;

/** What went wrong with the call, in the server's words; other errors may name hosts and keys. */
function publicMessage(error: unknown): string {
  return APICallError.isInstance(error) && error.data !== undefined ? error.message : 'No picture could be painted.';
}
