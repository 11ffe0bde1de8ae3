import { APICallError } from '@ai-sdk/provider';
import { expect, test, vi } from 'vitest';
import { CalotypeImageStream, type CalotypeImageStreamPart } from './calotype-image-stream.js';
import { collect } from './fake-server.js';
import { readImageStream } from './read-image-stream.js';

const PARTS: CalotypeImageStreamPart[] = [
  { type: 'queued', position: 0 },
  { type: 'preview', imageIndex: 0, previewIndex: 0, image: { base64: 'SlBH'.repeat(1000), mediaType: 'image/jpeg' } },
  { type: 'image', imageIndex: 0, image: { base64: 'UE5H', mediaType: 'image/png' }, metadata: { seed: 7 } },
  { type: 'finish', warnings: [{ type: 'other', message: 'ünïcode \n\n and lines' }], providerMetadata: {} },
];

function streamOf(parts: CalotypeImageStreamPart[], error?: Error): CalotypeImageStream {
  return new CalotypeImageStream(async function* () {
    yield* parts;
    if (error !== undefined) {
      throw error;
    }
  });
}

/** The same bytes, a few at a time. */
function inPieces(response: Response, length: number): Response {
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length; at += length) {
        controller.enqueue(chunk.slice(at, at + length));
      }
    },
  });
  return new Response(response.body?.pipeThrough(cut), { headers: response.headers });
}

test.each([1, 2, 5, 100_000])('what a route handler sends is what a page reads, in pieces of %i bytes', async length => {
  const response = streamOf(PARTS).toEventStreamResponse({ headers: { 'x-own': 'yes' } });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('x-own')).toBe('yes');
  expect(await collect(readImageStream(inPieces(response, length)))).toEqual(PARTS);
});

test("the page is told the server's words of a failure, and nothing of other ones", async () => {
  const ours = { url: 'http://10.0.0.1/v1', requestBodyValues: {}, data: {}, message: 'size must look like 1024x768' };
  const told = readImageStream(streamOf([], new APICallError(ours)).toEventStreamResponse());
  await expect(collect(told)).rejects.toThrow('size must look like 1024x768');
  const other = new Error('connect ECONNREFUSED 10.0.0.1:8000');
  const silent = readImageStream(streamOf([], other).toEventStreamResponse());
  await expect(collect(silent)).rejects.toThrow('No picture could be painted.');
  const own = readImageStream(streamOf([], other).toEventStreamResponse({ onError: () => 'come back later' }));
  await expect(collect(own)).rejects.toThrow('come back later');
});

test('a page that leaves stops the work, whatever it waits for', async () => {
  let signal: AbortSignal | undefined;
  const stream = new CalotypeImageStream(async function* (abortSignal) {
    signal = abortSignal;
    yield PARTS[0]!;
    await new Promise((_, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason)));
  });
  for await (const part of readImageStream(stream.toEventStreamResponse())) {
    expect(part.type).toBe('queued');
    break;
  }
  expect(signal?.aborted).toBe(true);
});

test('a connection on which nothing happens is kept alive', async () => {
  vi.useFakeTimers();
  try {
    const reader = new CalotypeImageStream(async function* () {
      await new Promise(() => {});
    })
      .toEventStream()
      .getReader();
    const read = reader.read();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(new TextDecoder().decode((await read).value)).toBe(': at work\n\n');
  } finally {
    vi.useRealTimers();
  }
});

test('a page is told when the stream breaks off', async () => {
  const response = streamOf(PARTS.slice(0, 2)).toEventStreamResponse();
  await expect(collect(readImageStream(response))).rejects.toThrow('broke off');
});

test('a page is told when there is no stream', async () => {
  const response = new Response('sign in first', { status: 401 });
  await expect(collect(readImageStream(response))).rejects.toThrow('401: sign in first');
});
