import { begun } from './begun-stream.js';
import { toAnswer, toFailureResponse, toJsonResponse, type ImageRouteModels } from './image-route-answers.js';
import { ImageRouteError } from './image-route-error.js';
import { checkedOptions, type CheckedOptions, type ImageRouteOptions } from './image-route-options.js';
import { readImageCall, type ImageCall } from './image-route-request.js';
import { readJson } from './json-body.js';
import { chosenModel, listed } from './listed-models.js';
import { mediaTypesIn } from './media-types.js';
import { bodyBytesMax } from './uploads.js';
import { toUpstreamError } from './upstream-error.js';

export interface ImageRoute {
  /** The models that may be asked for, with their cards. */
  GET: (request: Request) => Promise<Response>;
  /** Paints: one JSON answer, or server-sent events for who accepts `text/event-stream`. */
  POST: (request: Request) => Promise<Response>;
}

/**
 * Between a page and the picture server: checks what the page asks for, and keeps the key. A route handler of Next.js,
 * or of anything else that answers a `Request` with a `Response`.
 */
export function createImageRoute(options: ImageRouteOptions = {}): ImageRoute {
  const checked = checkedOptions(options);
  return {
    GET: request => answered(request, checked, listModels),
    POST: request => answered(request, checked, paint),
  };
}

type Answer = (request: Request, options: CheckedOptions) => Promise<Response>;

async function answered(request: Request, options: CheckedOptions, answer: Answer): Promise<Response> {
  // Next.js learns by this, before any work, that there is nothing to prerender.
  void request.headers;
  try {
    return (await refusal(request, options)) ?? (await answer(request, options));
  } catch (error) {
    if (isOfFramework(error)) {
      throw error;
    }
    return toFailureResponse(request.signal.aborted ? CALLER_LEFT : told(error, options));
  }
}

async function refusal(request: Request, { authorize }: CheckedOptions): Promise<Response | undefined> {
  const allowed = authorize === undefined || (await authorize(request));
  if (allowed instanceof Response) {
    return allowed;
  }
  // Whoever forgot to return anything has not allowed anything either.
  if (allowed !== true) {
    throw new ImageRouteError(401, 'you may not paint here: sign in first');
  }
  return undefined;
}

async function listModels(request: Request, { calotype, models }: CheckedOptions): Promise<Response> {
  const all = await asked(calotype.models({ abortSignal: request.signal }));
  return toJsonResponse({ models: listed(all, models) } satisfies ImageRouteModels);
}

async function paint(request: Request, options: CheckedOptions): Promise<Response> {
  const call = readImageCall(await readJson(request, bodyBytesMax(options.limits)), options.limits);
  return acceptsEvents(request) ? paintInEvents(request, options, call) : paintWhole(request, options, call);
}

async function paintWhole(request: Request, options: CheckedOptions, call: ImageCall): Promise<Response> {
  const stream = streamOf(request, options, { ...call, previews: 0 });
  return toJsonResponse(await asked(toAnswer(stream, previewsWarnings(call))));
}

async function paintInEvents(request: Request, options: CheckedOptions, call: ImageCall): Promise<Response> {
  const stream = await asked(begun(streamOf(request, options, call)));
  return stream.toEventStreamResponse({
    headers: EVENT_STREAM_HEADERS,
    onError: error => (request.signal.aborted ? CALLER_LEFT : told(toUpstreamError(error), options)).message,
  });
}

function streamOf(request: Request, { calotype, models }: CheckedOptions, { model, ...call }: ImageCall) {
  return calotype.streamImage({
    ...call,
    model: chosenModel(models, model),
    // A caller who is told to come back knows better than this server whether that is worth the wait.
    maxRetries: 0,
    abortSignal: request.signal,
  });
}

function previewsWarnings({ previews }: ImageCall) {
  const details = 'they come in a stream: ask for it with Accept: text/event-stream';
  return previews ? [{ type: 'unsupported' as const, feature: 'previews', details }] : [];
}

function acceptsEvents(request: Request): boolean {
  return mediaTypesIn(request.headers.get('accept')).includes('text/event-stream');
}

const EVENT_STREAM_HEADERS = {
  // What is compressed on the way is collected on the way.
  'cache-control': 'no-store, no-transform',
};

/** What fails here is the picture server's doing. */
async function asked<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw toUpstreamError(error);
  });
}

/** What the caller is told; what is no fault of the caller's, the app is told whole. */
function told(error: unknown, { reportError }: CheckedOptions): ImageRouteError {
  const failure =
    error instanceof ImageRouteError ? error : new ImageRouteError(500, 'Something went wrong.', { cause: error });
  if (failure.status >= 500) {
    reportError(failure.cause ?? failure);
  }
  return failure;
}

/** Nobody reads it; a log may. */
const CALLER_LEFT = new ImageRouteError(499, 'the caller left');

/** `redirect()`, `forbidden()`, `cookies()` while prerendering: Next.js throws to itself, and marks what it throws. */
function isOfFramework(error: unknown): boolean {
  return typeof (error as { digest?: unknown } | null | undefined)?.digest === 'string';
}
