/** The page's requests to its own route. */
import type { CalotypeModel } from 'calotype-ai-provider';
import type { Failure } from './painting';
import { retryAfterSeconds } from './retry-after';
import type { ImageRequest } from './wishes';

const ROUTE = '/api/generate-image';

/** What went wrong, in the server's own words. */
export class RequestFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

export async function askForModels(signal: AbortSignal): Promise<CalotypeModel[]> {
  const response = await ask({ signal });
  const { models } = (await response.json()) as { models: CalotypeModel[] };
  return models;
}

/** An answer for `readImageStream`. */
export function askForPictures(request: ImageRequest, signal: AbortSignal): Promise<Response> {
  return ask({
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(request),
    signal,
  });
}

/** Anything thrown on the way, as what the page shows. */
export function toFailure(error: unknown): Failure {
  if (error instanceof RequestFailed) {
    return error.failure;
  }
  if (error instanceof SyntaxError) {
    return { message: 'The answer of the server cannot be read.' };
  }
  // Browsers each have their own word for a connection that is gone ("Failed to fetch", "Load failed").
  if (error instanceof TypeError || !(error instanceof Error)) {
    return { message: 'The connection is gone. Is the network there, and does the server run?' };
  }
  return { message: error.message };
}

async function ask(init: RequestInit): Promise<Response> {
  const response = await fetch(ROUTE, init);
  if (!response.ok) {
    throw new RequestFailed(await readFailure(response));
  }
  return response;
}

async function readFailure(response: Response): Promise<Failure> {
  const body = (await response.json().catch(() => null)) as { error?: unknown; parameter?: unknown } | null;
  return {
    message: typeof body?.error === 'string' ? body.error : `The server answered ${response.status} without a word.`,
    parameter: typeof body?.parameter === 'string' ? body.parameter : undefined,
    retryAfterSeconds: retryAfterSeconds(response.headers.get('retry-after'), Date.now()),
  };
}
