import { createCalotype } from '../calotype-provider.js';
import { fakeServer } from '../fake-server.js';
import { createImageRoute } from './image-route.js';
import type { ImageRouteOptions } from './image-route-options.js';

/** What no answer of a route may hold. */
export const SECRETS = /secret|server\.test|\n\s+at /;

/** A route over a server that gives these answers, with what the server was asked and what the app was told. */
export function routeOver(answers: Array<() => Response>, options: ImageRouteOptions = {}) {
  const { fetch, requests } = fakeServer(...answers);
  const reported: unknown[] = [];
  const calotype = createCalotype({ baseURL: 'http://server.test/v1', apiKey: 'secret', fetch });
  const route = createImageRoute({ calotype, reportError: error => reported.push(error), ...options });
  return { ...route, requests, reported };
}

interface Init {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function get({ headers, signal }: Init = {}): Request {
  return new Request('http://app.test/api/generate-image', { headers, signal });
}

/** A body that is neither a text nor a stream is made JSON. */
export function post(body: unknown, { headers, signal }: Init = {}): Request {
  const isReady = typeof body === 'string' || body instanceof ReadableStream;
  return new Request('http://app.test/api/generate-image', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: isReady ? body : JSON.stringify(body),
    signal,
    // Node asks for it where the body is a stream.
    ...{ duplex: 'half' },
  });
}

export const EVENTS = { accept: 'text/event-stream' };

/** Bytes as a body that comes in pieces. */
export function pieces(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) {
        controller.close();
      } else {
        controller.enqueue(chunk);
      }
    },
  });
}

export async function told(response: Response): Promise<{ status: number; body: unknown }> {
  return { status: response.status, body: await response.json() };
}
