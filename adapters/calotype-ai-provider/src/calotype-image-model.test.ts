import { APICallError, InvalidArgumentError, type ImageModelV3CallOptions } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { CalotypeImageModel } from './calotype-image-model.js';
import { fakeServer, json } from './fake-server.js';

const DATE = new Date('2026-11-22T12:00:00Z');
const ANSWER = {
  created: 1_795_359_859,
  model: 'calotype/tintype',
  data: [
    { b64_json: 'UE5H', seed: 0 },
    { b64_json: 'UE5I', seed: 1 },
  ],
  size: '128x128',
  quality: 'high',
  output_format: 'png',
  usage: { input_tokens: 3, output_tokens: 128, total_tokens: 131 },
  warnings: [],
};

function modelWith(...answers: Array<() => Response>) {
  const { fetch, requests } = fakeServer(...answers);
  const model = new CalotypeImageModel('gpt-image-1', {
    provider: 'calotype.image',
    baseURL: () => 'http://server.test/v1',
    headers: () => ({ Authorization: 'Bearer key', 'X-Team': 'prints' }),
    fetch,
    _internal: { currentDate: () => DATE },
  });
  return { model, requests };
}

function call(overrides: Partial<ImageModelV3CallOptions> = {}): ImageModelV3CallOptions {
  return {
    prompt: 'a red fox',
    n: 1,
    size: undefined,
    aspectRatio: undefined,
    seed: undefined,
    files: undefined,
    mask: undefined,
    providerOptions: {},
    ...overrides,
  };
}

async function bodyOf(overrides: Partial<ImageModelV3CallOptions>) {
  const { model, requests } = modelWith(json(ANSWER));
  await model.doGenerate(call(overrides));
  return requests[0]!.body;
}

test('what was not given is not sent', async () => {
  expect(await bodyOf({})).toEqual({ model: 'gpt-image-1', prompt: 'a red fox', n: 1, response_format: 'b64_json' });
});

test('everything that a call holds is sent', async () => {
  const calotype = {
    numInferenceSteps: 4,
    guidance: 0,
    negativePrompt: 'blur',
    strength: 0.5,
    controlImage: 'https://pictures.example/edges.png',
    inputImages: ['UE5I'],
    outputFormat: 'webp',
    outputCompression: 0,
    quality: 'high',
    strict: true,
    idempotencyKey: 'order-7',
  };
  const { model, requests } = modelWith(json(ANSWER));
  await model.doGenerate(
    call({
      n: 10,
      size: '1024x768',
      aspectRatio: '4:3',
      seed: 0,
      files: [
        { type: 'file', mediaType: 'image/png', data: new Uint8Array([80, 78, 71]) },
        { type: 'file', mediaType: 'image/jpeg', data: 'SlBH' },
        { type: 'url', url: 'https://pictures.example/fox.png' },
      ],
      mask: { type: 'file', mediaType: 'image/png', data: 'TUFTSw==' },
      providerOptions: { calotype, openai: { quality: 'low' } },
      headers: { 'x-team': 'editors' },
    }),
  );
  expect(requests[0]?.url).toBe('http://server.test/v1/images/generations');
  expect(requests[0]?.body).toEqual({
    model: 'gpt-image-1',
    prompt: 'a red fox',
    n: 10,
    size: '1024x768',
    aspect_ratio: '4:3',
    seed: 0,
    image: ['data:image/png;base64,UE5H', 'data:image/jpeg;base64,SlBH', 'https://pictures.example/fox.png'],
    mask: 'data:image/png;base64,TUFTSw==',
    num_inference_steps: 4,
    guidance: 0,
    negative_prompt: 'blur',
    strength: 0.5,
    control_image: 'https://pictures.example/edges.png',
    input_images: ['UE5I'],
    output_format: 'webp',
    output_compression: 0,
    quality: 'high',
    strict: true,
    response_format: 'b64_json',
  });
  expect(requests[0]?.headers).toMatchObject({
    authorization: 'Bearer key',
    'x-team': 'editors',
    'idempotency-key': 'order-7',
    'content-type': 'application/json',
  });
});

test('a picture needs no words, and no pictures are none', async () => {
  const picture = { type: 'url', url: 'https://pictures.example/fox.png' } as const;
  expect(await bodyOf({ prompt: undefined, files: [picture] })).toMatchObject({ prompt: '' });
  expect(await bodyOf({ files: [] })).not.toHaveProperty('image');
});

test('the answer is told whole', async () => {
  const { model } = modelWith(json(ANSWER, { headers: { 'x-request-id': 'req_1' } }));
  expect(await model.doGenerate(call({ n: 2 }))).toEqual({
    images: ['UE5H', 'UE5I'],
    warnings: [],
    usage: { inputTokens: 3, outputTokens: 128, totalTokens: 131 },
    providerMetadata: {
      calotype: {
        images: [
          { seed: 0, size: '128x128', quality: 'high', outputFormat: 'png', modelId: 'calotype/tintype' },
          { seed: 1, size: '128x128', quality: 'high', outputFormat: 'png', modelId: 'calotype/tintype' },
        ],
      },
    },
    response: {
      timestamp: DATE,
      modelId: 'calotype/tintype',
      headers: expect.objectContaining({ 'x-request-id': 'req_1' }),
    },
  });
});

test('steps, time, cost and revision are told where the server has them', async () => {
  const image = { b64_json: 'UE5H', seed: 0, steps: 4, milliseconds: 12.5, cost: 0.002, model_revision: 'bb29' };
  const { model } = modelWith(json({ ...ANSWER, data: [image] }));
  const { providerMetadata } = await model.doGenerate(call());
  expect(providerMetadata?.calotype?.images).toEqual([
    expect.objectContaining({ seed: 0, steps: 4, milliseconds: 12.5, cost: '0.002', modelRevision: 'bb29' }),
  ]);
});

test('the least answer is enough', async () => {
  const { model } = modelWith(json({ data: [{ b64_json: 'UE5H' }], usage: null, warnings: null }));
  expect(await model.doGenerate(call())).toMatchObject({
    images: ['UE5H'],
    warnings: [],
    usage: undefined,
    providerMetadata: { calotype: { images: [{}] } },
    response: { modelId: 'gpt-image-1' },
  });
});

test('warnings are those that AI SDK 6 knows, by the names of the call', async () => {
  const warnings = [
    { type: 'compatibility', feature: 'aspect_ratio', details: 'painted at 176x96' },
    { type: 'unsupported', feature: 'guidance_scale' },
    { type: 'compatibility', feature: 'images', details: 'cropped' },
    { type: 'deprecated', feature: 'style', details: 'say it in the prompt' },
    { type: 'other', feature: 'prompt', details: 'the end was not read' },
  ];
  const { model } = modelWith(json({ ...ANSWER, warnings }));
  expect((await model.doGenerate(call())).warnings).toEqual([
    { type: 'compatibility', feature: 'aspectRatio', details: 'painted at 176x96' },
    { type: 'unsupported', feature: 'guidance' },
    { type: 'compatibility', feature: 'files', details: 'cropped' },
    { type: 'other', message: 'style: say it in the prompt' },
    { type: 'other', message: 'prompt: the end was not read' },
  ]);
});

test.each([
  [{ numInferenceSteps: 0 }, 'numInferenceSteps'],
  [{ numInferenceSteps: 1.5 }, 'numInferenceSteps'],
  [{ guidance: -1 }, 'guidance'],
  [{ strength: 1.1 }, 'strength'],
  [{ inputImages: Array.from({ length: 9 }, () => 'UE5H') }, 'inputImages'],
  [{ outputFormat: 'gif' }, 'outputFormat'],
  [{ outputCompression: 101 }, 'outputCompression'],
  [{ quality: 'best' }, 'quality'],
  [{ strict: 'yes' }, 'strict'],
  [{ idempotencyKey: 'two words' }, 'idempotencyKey'],
  [{ num_inference_steps: 4 }, 'num_inference_steps'],
])('options %o are refused before any request', async (calotype, name) => {
  const { model, requests } = modelWith(json(ANSWER));
  const error = await model.doGenerate(call({ providerOptions: { calotype } })).catch((error: unknown) => error);
  expect(InvalidArgumentError.isInstance(error) && error.message).toContain(name);
  expect(requests).toEqual([]);
});

function failure(status: number, code: string, headers: Record<string, string> = {}) {
  const error = { message: 'what was wanted, and what came', type: 'server_error', param: null, code };
  return json({ error }, { status, headers });
}

test.each([
  [failure(400, 'invalid_parameter'), false],
  [failure(401, 'invalid_api_key'), false],
  [failure(429, 'model_busy', { 'retry-after-ms': '1500' }), true],
  [failure(500, 'engine_error', { 'x-should-retry': 'false' }), false],
  [failure(503, 'engine_error'), true],
])('a failure is told in the words of the server (%#)', async (answer, isRetryable) => {
  const { model } = modelWith(answer);
  const error = await model.doGenerate(call()).catch((error: unknown) => error);
  expect(error).toMatchObject({ message: 'what was wanted, and what came', isRetryable });
  expect(APICallError.isInstance(error) && error.data).toHaveProperty('error.code');
});

test('an answer that is none is told apart from a picture', async () => {
  const { model } = modelWith(json({ data: [{ url: 'http://server.test/files/1.png' }] }));
  await expect(model.doGenerate(call())).rejects.toThrow('Invalid JSON response');
});

test('more than one request may ask for is several, with the seeds counted on', async () => {
  const answer = (n: number, warnings: object[] = []) =>
    json({ ...ANSWER, data: Array.from({ length: n }, (_, index) => ({ b64_json: 'UE5H', seed: index })), warnings });
  const told = { type: 'unsupported', feature: 'quality' };
  const { model, requests } = modelWith(answer(10, [told]), answer(10, [told]), answer(3));
  const providerOptions = { calotype: { idempotencyKey: 'order-7', guidance: 2 } };
  const generated = await model.doGenerate(call({ n: 23, seed: 5, providerOptions }));
  expect(requests.map(({ body }) => [body.n, body.seed, body.guidance])).toEqual([
    [10, 5, 2],
    [10, 15, 2],
    [3, 25, 2],
  ]);
  expect(requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['order-7', 'order-7-10', 'order-7-20']);
  expect(generated.images).toHaveLength(23);
  expect(generated.providerMetadata?.calotype?.images).toHaveLength(23);
  expect(generated.warnings).toEqual([{ type: 'unsupported', feature: 'quality' }]);
  expect(generated.usage).toEqual({ inputTokens: 9, outputTokens: 384, totalTokens: 393 });
});

test('ten pictures are one request, and eleven are two', async () => {
  const { model, requests } = modelWith(json(ANSWER), json(ANSWER), json(ANSWER));
  await model.doGenerate(call({ n: 10 }));
  expect(requests).toHaveLength(1);
  await model.doGenerate(call({ n: 11 }));
  expect(requests.map(({ body }) => [body.n, body.seed])).toEqual([
    [10, undefined],
    [10, undefined],
    [1, undefined],
  ]);
});

test('an aborted call asks nothing', async () => {
  const { model } = modelWith(json(ANSWER));
  const error = await model.doGenerate(call({ abortSignal: AbortSignal.abort() })).catch((error: unknown) => error);
  expect(error).toHaveProperty('name', 'AbortError');
});
