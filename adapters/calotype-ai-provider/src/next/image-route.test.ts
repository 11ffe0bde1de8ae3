import { expect, test, vi } from 'vitest';
import { COMPLETED, collect, endless, events, json } from '../fake-server.js';
import { readImageStream } from '../read-image-stream.js';
import { EVENTS, get, post, routeOver, told } from './fake-page.js';

const FOX = { prompt: 'a red fox' };
const QUEUED = { type: 'image_generation.queued', position: 1, seconds: 0.5 };
const PROGRESS = { type: 'image_generation.progress', image_index: 0, step: 1, steps: 2 };
const SECOND = { ...COMPLETED, b64_json: 'UE5I', image_index: 1, seed: 8 };
const FACTS = { quality: 'auto', outputFormat: 'png', modelId: 'calotype/tintype' };

test('a picture is answered in JSON, with its seed', async () => {
  const { POST, requests } = routeOver([events([QUEUED, PROGRESS, COMPLETED])]);
  const response = await POST(post(FOX));
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await told(response)).toEqual({
    status: 200,
    body: {
      image: 'UE5H',
      images: [{ base64: 'UE5H', mediaType: 'image/png', seed: 7, size: '128x128' }],
      seed: 7,
      warnings: [],
    },
  });
  expect(requests[0]?.body).toEqual({
    prompt: 'a red fox',
    n: 1,
    response_format: 'b64_json',
    stream: true,
    progress: true,
    partial_images: 0,
  });
  expect(requests[0]?.headers.authorization).toBe('Bearer secret');
});

test('pictures are in their order, each with its own seed', async () => {
  const { POST } = routeOver([events([SECOND, COMPLETED])]);
  expect((await told(await POST(post({ ...FOX, n: 2 })))).body).toMatchObject({
    image: 'UE5H',
    seed: 7,
    images: [
      { base64: 'UE5H', seed: 7 },
      { base64: 'UE5I', seed: 8 },
    ],
  });
});

test('every field of the body arrives', async () => {
  const { POST, requests } = routeOver([events([COMPLETED])]);
  await POST(
    post(
      {
        ...FOX,
        model: 'calotype/tintype',
        size: '128x128',
        aspectRatio: '1:1',
        seed: 0,
        n: 4,
        image: ['UE5H', 'data:image/jpeg;base64,SlBH'],
        mask: 'TUFTSw==',
        numInferenceSteps: 4,
        guidance: 0,
        negativePrompt: 'blur',
        strength: 0.5,
        previews: 3,
      },
      { headers: EVENTS },
    ),
  );
  expect(requests[0]?.body).toEqual({
    model: 'calotype/tintype',
    prompt: 'a red fox',
    n: 4,
    size: '128x128',
    aspect_ratio: '1:1',
    seed: 0,
    image: ['data:image/png;base64,UE5H', 'data:image/jpeg;base64,SlBH'],
    mask: 'data:image/png;base64,TUFTSw==',
    num_inference_steps: 4,
    guidance: 0,
    negative_prompt: 'blur',
    strength: 0.5,
    response_format: 'b64_json',
    stream: true,
    progress: true,
    partial_images: 3,
  });
});

test('one picture needs no list, and no words', async () => {
  const { POST, requests } = routeOver([events([COMPLETED])]);
  await POST(post({ prompt: '', image: 'UE5H' }));
  expect(requests[0]?.body).toMatchObject({ prompt: '', image: ['data:image/png;base64,UE5H'] });
});

test('warnings are told, and that previews need a stream', async () => {
  const warnings = [{ type: 'compatibility', feature: 'aspect_ratio', details: 'painted at 176x96' }];
  const { POST } = routeOver([events([{ ...COMPLETED, warnings }])]);
  const { body } = await told(await POST(post({ ...FOX, previews: 1 })));
  expect(body).toHaveProperty('warnings', [
    { type: 'unsupported', feature: 'previews', details: expect.stringContaining('text/event-stream') },
    { type: 'compatibility', feature: 'aspectRatio', details: 'painted at 176x96' },
  ]);
});

test('who accepts events is told on the way', async () => {
  const { POST, requests } = routeOver([events([QUEUED, PROGRESS, COMPLETED])]);
  const response = await POST(post(FOX, { headers: { accept: 'application/json;q=0.5, Text/Event-Stream;q=0.9' } }));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
  const metadata = { seed: 7, size: '128x128', ...FACTS };
  expect(await collect(readImageStream(response))).toEqual([
    { type: 'queued', position: 1, seconds: 0.5 },
    { type: 'progress', imageIndex: 0, step: 1, steps: 2 },
    { type: 'image', imageIndex: 0, image: { base64: 'UE5H', mediaType: 'image/png' }, metadata },
    {
      type: 'finish',
      warnings: [],
      usage: { inputTokens: 3, outputTokens: 64, totalTokens: 67 },
      providerMetadata: { calotype: { images: [metadata] } },
    },
  ]);
  expect(requests[0]?.body).toMatchObject({ partial_images: 2 });
});

test('where no first part comes the answer begins all the same, and what fails then is told in it', async () => {
  vi.useFakeTimers();
  try {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const { POST } = routeOver([() => new Response(readable)]);
    const answering = POST(post(FOX, { headers: EVENTS }));
    await vi.advanceTimersByTimeAsync(15_000);
    const response = await answering;
    expect(response.status).toBe(200);
    await writable.abort(new TypeError('terminated'));
    const message = 'The picture server cannot be reached.';
    expect(await response.text()).toBe(`data: ${JSON.stringify({ type: 'error', message })}\n\n`);
  } finally {
    vi.useRealTimers();
  }
});

test('the first of the models is painted with, and the others when they are asked for, in any case', async () => {
  const { POST, requests } = routeOver([events([COMPLETED])], { models: ['acme/brush', 'calotype/tintype'] });
  await POST(post(FOX));
  await POST(post({ ...FOX, model: 'Calotype/Tintype' }));
  expect(requests.map(request => request.body.model)).toEqual(['acme/brush', 'calotype/tintype']);
});

test('no other model is asked for', async () => {
  const { POST, requests } = routeOver([], { models: ['calotype/tintype'] });
  expect(await told(await POST(post({ ...FOX, model: 'gpt-image-1' })))).toEqual({
    status: 404,
    body: { error: 'there is no model "gpt-image-1" here; there is calotype/tintype', parameter: 'model' },
  });
  expect(requests).toEqual([]);
});

test.each([
  [undefined, ['acme/brush', 'calotype/tintype']],
  [['CALOTYPE/tintype', 'nobody/paints', 'acme/brush'], ['calotype/tintype', 'acme/brush']],
])('of the models %o those of the server are listed, with their cards', async (models, ids) => {
  const calotype = { default_size: { width: 128, height: 128 } };
  const data = ['acme/brush', 'calotype/tintype'].map(id => ({ id, owned_by: id.split('/')[0], calotype }));
  const { GET, requests } = routeOver([json({ data })], { models });
  const response = await GET(get());
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toEqual({
    models: ids.map(id => ({
      id,
      ownedBy: id.split('/')[0],
      card: expect.objectContaining({ defaultSize: '128x128' }),
    })),
  });
  expect(requests[0]?.url).toBe('http://server.test/v1/models');
});

test("the caller's signal stops the work of a whole answer", async () => {
  const controller = new AbortController();
  const stopped = vi.fn();
  const { POST, requests, reported } = routeOver([endless(QUEUED, stopped)]);
  const answering = POST(post(FOX, { signal: controller.signal }));
  await vi.waitFor(() => expect(requests.length).toBe(1));
  controller.abort();
  expect((await answering).status).toBe(499);
  expect(requests[0]?.signal?.aborted).toBe(true);
  expect(reported).toEqual([]);
});

test('who leaves the stream stops the work', async () => {
  const stopped = vi.fn();
  const { POST, requests } = routeOver([endless(QUEUED, stopped)]);
  const response = await POST(post(FOX, { headers: EVENTS }));
  for await (const part of readImageStream(response)) {
    expect(part.type).toBe('queued');
    break;
  }
  expect(requests[0]?.signal?.aborted).toBe(true);
  expect(stopped).toHaveBeenCalled();
});

test("the caller's signal stops the work of a stream that nobody reads", async () => {
  const controller = new AbortController();
  const stopped = vi.fn();
  const { POST, requests } = routeOver([endless(QUEUED, stopped)]);
  await POST(post(FOX, { headers: EVENTS, signal: controller.signal }));
  controller.abort();
  expect(requests[0]?.signal?.aborted).toBe(true);
});
