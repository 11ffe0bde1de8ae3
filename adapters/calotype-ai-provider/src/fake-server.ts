import type { FetchFunction } from '@ai-sdk/provider-utils';

export interface FakeRequest {
  url: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  signal?: AbortSignal | null;
}

/** A `fetch` that gives each answer once, the last one for ever, and keeps what it was asked. */
export function fakeServer(...answers: Array<() => Response>): { fetch: FetchFunction; requests: FakeRequest[] } {
  const requests: FakeRequest[] = [];
  const fetch: FetchFunction = async (url, init) => {
    requests.push({
      url: String(url),
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: typeof init?.body === 'string' ? JSON.parse(init.body) : {},
      signal: init?.signal,
    });
    init?.signal?.throwIfAborted();
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    if (answer === undefined) {
      throw new TypeError('the fake server has no answer');
    }
    return untilAborted(answer(), init?.signal);
  };
  return { fetch, requests };
}

/** As a network has it: who aborts a request ends its answer too. */
function untilAborted(response: Response, signal: AbortSignal | null | undefined): Response {
  const { body, status, headers } = response;
  return signal && body ? new Response(body.pipeThrough(new TransformStream(), { signal }), { status, headers }) : response;
}

export function json(body: unknown, init: ResponseInit = {}): () => Response {
  return () =>
    new Response(JSON.stringify(body), {
      ...init,
      headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
    });
}

/** Server-sent events, in pieces that end anywhere. */
export function events(bodies: Array<{ type?: string; [key: string]: unknown }>, pieceLength = 7): () => Response {
  return () => {
    const text = bodies.map(body => `event: ${body.type ?? 'error'}\ndata: ${JSON.stringify(body)}\n\n`).join(': at work\n\n');
    const bytes = new TextEncoder().encode(text);
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) {
          controller.close();
        } else {
          controller.enqueue(bytes.slice(at, (at += pieceLength)));
        }
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
}

/** Sends one event and then nothing, until it is told to stop. */
export function endless(first: { type: string; [key: string]: unknown }, onStop: () => void): () => Response {
  return () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(first)}\n\n`));
      },
      cancel: onStop,
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
}

export async function collect<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const part of parts) {
    collected.push(part);
  }
  return collected;
}

export const COMPLETED = {
  type: 'image_generation.completed',
  b64_json: 'UE5H',
  image_index: 0,
  seed: 7,
  model: 'calotype/tintype',
  created_at: 1_795_359_859,
  size: '128x128',
  quality: 'auto',
  background: 'opaque',
  output_format: 'png',
  usage: { input_tokens: 3, output_tokens: 64, total_tokens: 67 },
  warnings: [],
};
