import { APICallError } from '@ai-sdk/provider';
import { expect, test, vi } from 'vitest';
import { createCalotype } from './calotype-provider.js';
import type { CalotypeStreamImageOptions } from './calotype-stream-image.js';
import { COMPLETED, collect, endless, events, fakeServer, json } from './fake-server.js';

const QUEUED = { type: 'image_generation.queued', position: 1, seconds: 0.5 };
const OPTIONS: CalotypeStreamImageOptions = { model: 'calotype/tintype', prompt: 'a red fox' };
const BUSY = json({ error: { message: 'too many wait' } }, { status: 429, headers: { 'retry-after-ms': '1' } });

function streamOf(answers: Array<() => Response>, options: Partial<CalotypeStreamImageOptions> = {}) {
  const { fetch, requests } = fakeServer(...answers);
  const stream = createCalotype({ baseURL: 'http://server.test/v1', fetch }).streamImage({ ...OPTIONS, ...options });
  return { stream, requests };
}

test('everything that happens is told, in the order in which it happens', async () => {
  const { stream } = streamOf([
    events([
      QUEUED,
      { type: 'image_generation.progress', image_index: 0, step: 1, steps: 2 },
      { type: 'image_generation.partial_image', b64_json: 'SlBH', image_index: 0, partial_image_index: 0, output_format: 'jpeg' },
      { type: 'image_generation.something_new' },
      { ...COMPLETED, image_index: 1, seed: 8, usage: { input_tokens: 0, output_tokens: 64, total_tokens: 64 } },
      { ...COMPLETED, warnings: [{ type: 'compatibility', feature: 'size', details: 'painted at 128x128' }] },
    ]),
  ]);
  const facts = { size: '128x128', quality: 'auto', outputFormat: 'png', modelId: 'calotype/tintype' };
  const image = { base64: 'UE5H', mediaType: 'image/png' };
  expect(await collect(stream)).toEqual([
    { type: 'queued', position: 1, seconds: 0.5 },
    { type: 'progress', imageIndex: 0, step: 1, steps: 2 },
    { type: 'preview', imageIndex: 0, previewIndex: 0, image: { base64: 'SlBH', mediaType: 'image/jpeg' } },
    { type: 'image', imageIndex: 1, image, metadata: { seed: 8, ...facts } },
    { type: 'image', imageIndex: 0, image, metadata: { seed: 7, ...facts } },
    {
      type: 'finish',
      warnings: [{ type: 'compatibility', feature: 'size', details: 'painted at 128x128' }],
      usage: { inputTokens: 3, outputTokens: 128, totalTokens: 131 },
      providerMetadata: { calotype: { images: [{ seed: 7, ...facts }, { seed: 8, ...facts }] } },
    },
  ]);
});

test('the request asks for a stream of the same call', async () => {
  const { stream, requests } = streamOf([events([COMPLETED])], {
    prompt: { text: 'a blue fox', images: [new Uint8Array([80, 78, 71]), 'https://pictures.example/fox.png'], mask: 'TUFTSw==' },
    n: 2,
    seed: 0,
    size: '128x128',
    aspectRatio: '1:1',
    previews: 0,
    providerOptions: { calotype: { numInferenceSteps: 4, idempotencyKey: 'order-7' } },
  });
  await collect(stream);
  expect(requests[0]?.body).toEqual({
    model: 'calotype/tintype',
    prompt: 'a blue fox',
    n: 2,
    size: '128x128',
    aspect_ratio: '1:1',
    seed: 0,
    image: ['data:image/png;base64,UE5H', 'https://pictures.example/fox.png'],
    mask: 'data:image/png;base64,TUFTSw==',
    num_inference_steps: 4,
    response_format: 'b64_json',
    stream: true,
    progress: true,
    partial_images: 0,
  });
  expect(requests[0]?.headers['idempotency-key']).toBe('order-7');
});

test('nothing is asked before somebody reads', () => {
  expect(streamOf([events([COMPLETED])]).requests).toEqual([]);
});

test('a busy server is asked again', async () => {
  const { stream, requests } = streamOf([BUSY, events([COMPLETED])]);
  expect((await collect(stream)).at(-1)).toHaveProperty('type', 'finish');
  expect(requests.length).toBe(2);
});

test('in the end the failure is that of the server', async () => {
  const { stream, requests } = streamOf([BUSY]);
  await expect(collect(stream)).rejects.toThrow('too many wait');
  expect(requests.length).toBe(3);
});

test.each([
  [[QUEUED, { error: { message: 'the engine failed', code: 'engine_error' } }], 'the engine failed'],
  [[QUEUED], 'without a picture'],
  [[{ type: 'image_generation.completed', image_index: 0 }], 'Invalid event'],
])('a stream that fails on the way says so (%#)', async (bodies, message) => {
  const error = await collect(streamOf([events(bodies)]).stream).catch((error: unknown) => error);
  expect(APICallError.isInstance(error) && error.message).toContain(message);
});

test('who leaves the loop stops the work', async () => {
  const stopped = vi.fn();
  const { stream, requests } = streamOf([endless(QUEUED, stopped)]);
  for await (const part of stream) {
    expect(part.type).toBe('queued');
    break;
  }
  expect(requests[0]?.signal?.aborted).toBe(true);
  expect(stopped).toHaveBeenCalled();
});

test("the caller's signal stops the work", async () => {
  const controller = new AbortController();
  const { stream, requests } = streamOf([events([QUEUED, COMPLETED])], { abortSignal: controller.signal });
  for await (const part of stream) {
    expect(part.type).toBe('queued');
    controller.abort();
    break;
  }
  expect(requests[0]?.signal?.aborted).toBe(true);
});

test('a call that was aborted before is not made', async () => {
  const { stream } = streamOf([events([COMPLETED])], { abortSignal: AbortSignal.abort() });
  const error = await collect(stream).catch((error: unknown) => error);
  expect(error).toHaveProperty('name', 'AbortError');
});

test('a stream is read once', async () => {
  const { stream } = streamOf([events([COMPLETED])]);
  await collect(stream);
  await expect(collect(stream)).rejects.toThrow('read once');
});
