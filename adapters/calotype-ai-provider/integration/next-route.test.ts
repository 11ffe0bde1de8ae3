import { createCalotype, readImageStream, type CalotypeImageStreamPart } from 'calotype-ai-provider';
import {
  createImageRoute,
  type ImageRouteAnswer,
  type ImageRouteFailure,
  type ImageRouteModels,
  type ImageRouteRequest,
} from 'calotype-ai-provider/next';
import { expect, test } from 'vitest';
import { BASE_URL, BUSY_API_KEY, BUSY_BASE_URL, MASK, MODEL_ID, engine, sizeOf, until } from './real-server.js';

const calotype = createCalotype({ baseURL: BASE_URL });
const { GET, POST } = createImageRoute({ calotype });
const ADDRESS = 'http://app.test/api/generate-image';
const EVENTS = { accept: 'text/event-stream' };
/** Another one in each run: the server would give the same call its remembered answer, without any way to it. */
const SEED = Math.floor(Math.random() * 1e9);
const FOX = { prompt: 'a red fox on a blue background', numInferenceSteps: 4 };
/** Four of them take longer than any test waits. */
const LONG = { ...FOX, n: 4, numInferenceSteps: 50 };

function post(body: ImageRouteRequest, init: { headers?: Record<string, string>; signal?: AbortSignal } = {}): Request {
  const headers = { 'content-type': 'application/json', ...init.headers };
  return new Request(ADDRESS, { ...init, method: 'POST', headers, body: JSON.stringify(body) });
}

async function paint(body: ImageRouteRequest): Promise<ImageRouteAnswer> {
  const response = await POST(post(body));
  expect(response.status).toBe(200);
  return (await response.json()) as ImageRouteAnswer;
}

async function failure(body: ImageRouteRequest): Promise<ImageRouteFailure & { status: number }> {
  const response = await POST(post(body));
  return { status: response.status, ...((await response.json()) as ImageRouteFailure) };
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

test('a picture comes with its seed, which paints it again', async () => {
  const { image, images, seed, warnings } = await paint(FOX);
  expect(sizeOf(bytesOf(image))).toBe('128x128');
  expect(images).toEqual([{ base64: image, mediaType: 'image/png', seed, size: '128x128' }]);
  expect(warnings).toEqual([]);
  expect((await paint({ ...FOX, seed })).image).toBe(image);
});

test('each of several pictures has the seed that paints it again', async () => {
  const { images } = await paint({ ...FOX, n: 3, seed: SEED });
  expect(images.map(image => image.seed)).toEqual([SEED, SEED + 1, SEED + 2]);
  expect((await paint({ ...FOX, seed: SEED + 2 })).image).toBe(images[2]?.base64);
});

test.each([MODEL_ID, MODEL_ID.toUpperCase(), 'gpt-image-1', undefined])('the model %s is asked for', async model => {
  expect((await paint({ ...FOX, model })).images).toHaveLength(1);
});

test('a shape that the model has not is told', async () => {
  const { images, warnings } = await paint({ ...FOX, aspectRatio: '16:9', previews: 1 });
  expect(images[0]?.size).toBe('176x96');
  expect(warnings.map(warning => warning.type === 'other' || warning.feature)).toEqual(['previews', 'aspectRatio']);
});

test('a picture is painted over, and through a mask', async () => {
  const { image } = await paint({ prompt: 'a big apple on a blue background', seed: 3 });
  const edit = { ...FOX, prompt: 'a big apple on a red background', image };
  const edited = await paint({ ...edit, strength: 0.5 });
  expect(edited.warnings).toEqual([]);
  expect(edited.image).not.toBe(image);
  const masked = await paint({ ...edit, image: [`data:image/png;base64,${image}`], mask: MASK });
  expect(masked.warnings).toEqual([]);
});

test('who accepts events sees the pictures on their way', async () => {
  const response = await POST(post({ ...FOX, n: 2, seed: SEED + 10, previews: 1 }, { headers: EVENTS }));
  const parts: CalotypeImageStreamPart[] = [];
  for await (const part of readImageStream(response)) {
    parts.push(part);
  }
  const count = (type: string) => parts.filter(part => part.type === type).length;
  expect([count('progress'), count('preview'), count('image'), count('finish')]).toEqual([8, 2, 2, 1]);
  expect(parts.find(part => part.type === 'image')?.metadata.seed).toBe(SEED + 10);
});

test.each<[string, string, ImageRouteRequest]>([
  ['numInferenceSteps', 'numInferenceSteps must be from 1 to 50', { ...FOX, numInferenceSteps: 51 }],
  ['guidance', 'guidance must be from 1', { ...FOX, guidance: 11 }],
  ['aspectRatio', 'contradict each other', { ...FOX, size: '128x128', aspectRatio: '16:9' }],
  ['seed', 'must not pass', { ...FOX, seed: Number.MAX_SAFE_INTEGER, n: 2 }],
  ['image', 'picture', { ...FOX, image: 'bm90IGEgcGljdHVyZQ==' }],
  ['image', 'at most 1 image', { ...FOX, image: [MASK, MASK] }],
  ['mask', 'mask', { ...FOX, mask: MASK }],
])('%s that the server refuses is told in its words, by the name of the body', async (parameter, words, body) => {
  const { status, error, ...told } = await failure(body);
  expect({ status, ...told }).toEqual({ status: 400, parameter });
  expect(error).toContain(words);
  expect(error).not.toMatch(/[a-z]_[a-z]/);
});

test('a model that nobody has is told', async () => {
  expect(await failure({ ...FOX, model: 'nobody/paints' })).toMatchObject({ status: 404, parameter: 'model' });
});

test('a wrong key is no fault of the caller', async () => {
  const told: unknown[] = [];
  const stranger = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: 'wrong' });
  const route = createImageRoute({ calotype: stranger, reportError: error => told.push(error) });
  for (const response of [await route.POST(post(FOX)), await route.GET(new Request(ADDRESS))]) {
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: 'The picture server does not let this app in.' });
  }
  expect(told).toMatchObject([{ statusCode: 401 }, { statusCode: 401 }]);
});

test('models are listed with their cards', async () => {
  const { models } = (await (await GET(new Request(ADDRESS))).json()) as ImageRouteModels;
  expect(models).toEqual(await calotype.models().then(all => JSON.parse(JSON.stringify(all)) as unknown));
  const some = createImageRoute({ calotype, models: ['nobody/paints', MODEL_ID.toUpperCase()] });
  const listed = (await (await some.GET(new Request(ADDRESS))).json()) as ImageRouteModels;
  expect(listed.models).toEqual(models.filter(model => model.id === MODEL_ID));
});

test('a busy server is not asked again: the caller is told when to come back', async () => {
  const controller = new AbortController();
  const busy = createImageRoute({ calotype: createCalotype({ baseURL: BUSY_BASE_URL, apiKey: BUSY_API_KEY }) });
  const running = async () => (await engine(BUSY_BASE_URL, BUSY_API_KEY)).running;
  await until(async () => (await running()) === 0);
  const painting = busy.POST(post(LONG, { signal: controller.signal }));
  await until(async () => (await running()) > 0);
  for (const headers of [{}, EVENTS]) {
    const response = await busy.POST(post({ ...FOX, prompt: 'a dog' }, { headers }));
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  controller.abort();
  expect((await painting).status).toBe(499);
});

test.each(['aborts a whole answer', 'aborts a stream', 'stops reading'])('who %s stops the engine', async how => {
  const before = (await engine()).steps_done;
  const controller = new AbortController();
  const { signal } = controller;
  const begun = async () => (await engine()).steps_done > before;
  if (how === 'aborts a whole answer') {
    const painting = POST(post(LONG, { signal }));
    await until(begun);
    controller.abort();
    expect((await painting).status).toBe(499);
  } else {
    const response = await POST(post(LONG, { headers: EVENTS, signal }));
    await until(begun);
    await (how === 'aborts a stream' ? controller.abort() : response.body?.cancel());
  }
  await until(async () => (await engine()).running === 0);
  const after = (await engine()).steps_done;
  expect(after - before).toBeLessThan(200);
  await paint({ ...FOX, seed: SEED + 20 });
  // Four steps of the fox, and at most the one that each of those who left was in.
  expect((await engine()).steps_done - after).toBeLessThanOrEqual(4 + 4);
});
