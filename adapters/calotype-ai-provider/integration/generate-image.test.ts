import { generateImage } from 'ai';
import { createCalotype } from 'calotype-ai-provider';
import { expect, test } from 'vitest';
import { BASE_URL, MODEL_ID, QUICK, engine, failureOf, LONG, sizeOf, until, watched } from './real-server.js';

const calotype = createCalotype({ baseURL: BASE_URL });
const FOX = { model: calotype.image(MODEL_ID), prompt: 'a red fox on a blue background', providerOptions: QUICK };

test('a picture from words, with all that is known of it', async () => {
  const { image, warnings, usage, providerMetadata, responses } = await generateImage({ ...FOX, seed: 7 });
  expect(image.mediaType).toBe('image/png');
  expect(sizeOf(image.uint8Array)).toBe('128x128');
  expect(warnings).toEqual([]);
  expect(usage.inputTokens).toBeGreaterThan(0);
  expect(usage.outputTokens).toBe(64);
  expect(usage.totalTokens).toBe(64 + usage.inputTokens!);
  expect(providerMetadata.calotype?.images).toEqual([
    expect.objectContaining({ seed: 7, size: '128x128', outputFormat: 'png', modelId: MODEL_ID }),
  ]);
  expect(responses[0]).toMatchObject({ modelId: MODEL_ID });
  expect(responses[0]?.headers?.['x-request-id']).toMatch(/^req_/);
});

test('three pictures are one request, and each has the seed after the one before', async () => {
  const { fetch, bodies } = watched();
  const model = createCalotype({ baseURL: BASE_URL, fetch }).image(MODEL_ID);
  const { images, providerMetadata } = await generateImage({ ...FOX, model, n: 3, seed: 0 });
  expect(bodies).toEqual([expect.objectContaining({ n: 3, seed: 0 })]);
  expect(images.length).toBe(3);
  expect(new Set(images.map(image => image.base64)).size).toBe(3);
  const seeds = providerMetadata.calotype?.images.map(image => (image as { seed: number }).seed);
  expect(seeds).toEqual([0, 1, 2]);
});

test('the same seed is the same picture, and without one it is another', async () => {
  const paint = async (seed?: number) => (await generateImage({ ...FOX, seed })).image.base64;
  expect(await paint(7)).toBe(await paint(7));
  expect(await paint()).not.toBe(await paint());
});

test('size and aspect ratio both arrive', async () => {
  const { image, warnings } = await generateImage({ ...FOX, size: '176x96', aspectRatio: '11:6' });
  expect(sizeOf(image.uint8Array)).toBe('176x96');
  expect(warnings).toEqual([]);
  const error = await failureOf(generateImage({ ...FOX, size: '128x128', aspectRatio: '16:9' }));
  expect(error).toMatchObject({ statusCode: 400, message: expect.stringContaining('contradict each other') });
});

test('what could not be done exactly is a warning', async () => {
  const { image, warnings } = await generateImage({
    ...FOX,
    aspectRatio: '16:9',
    providerOptions: { calotype: { numInferenceSteps: 2, outputCompression: 50, strength: 0.5 } },
  });
  expect(sizeOf(image.uint8Array)).toBe('176x96');
  expect(warnings).toContainEqual(expect.objectContaining({ type: 'compatibility', feature: 'aspectRatio' }));
  expect(warnings).toContainEqual(expect.objectContaining({ type: 'unsupported', feature: 'outputCompression' }));
  expect(warnings).toContainEqual(expect.objectContaining({ type: 'unsupported', feature: 'strength' }));
});

test('a strict call is refused instead', async () => {
  const providerOptions = { calotype: { numInferenceSteps: 2, strict: true } };
  const error = await failureOf(generateImage({ ...FOX, aspectRatio: '16:9', providerOptions }));
  expect(error).toMatchObject({ statusCode: 400, isRetryable: false, message: expect.stringContaining('strict') });
});

test('every option arrives', async () => {
  const { image, warnings } = await generateImage({
    ...FOX,
    providerOptions: {
      calotype: {
        numInferenceSteps: 3,
        guidance: 2,
        negativePrompt: 'a dog',
        outputFormat: 'webp',
        outputCompression: 30,
        quality: 'low',
      },
    },
  });
  expect(image.mediaType).toBe('image/webp');
  expect(warnings).toEqual([{ type: 'other', message: expect.stringContaining('negativePrompt') }]);
});

test('the same idempotency key is the same answer', async () => {
  const providerOptions = { calotype: { numInferenceSteps: 2, idempotencyKey: `order-${Math.random()}` } };
  const one = await generateImage({ ...FOX, providerOptions });
  const other = await generateImage({ ...FOX, providerOptions });
  expect(other.image.base64).toBe(one.image.base64);
  const error = await failureOf(generateImage({ ...FOX, prompt: 'a cat', providerOptions }));
  expect(error).toMatchObject({ statusCode: 422 });
});

test('an aborted call stops the engine', async () => {
  const before = (await engine()).steps_done;
  const controller = new AbortController();
  const painting = generateImage({ ...FOX, n: 10, providerOptions: LONG, abortSignal: controller.signal });
  const failure = failureOf(painting);
  await until(async () => (await engine()).steps_done > before);
  controller.abort();
  expect(await failure).toHaveProperty('name', 'AbortError');
  await until(async () => (await engine()).running === 0);
  const after = (await engine()).steps_done;
  expect(after - before).toBeLessThan(500);
  await generateImage(FOX);
  // Two steps for the fox, and at most the one that each of those who left was in.
  expect((await engine()).steps_done - after).toBeLessThanOrEqual(2 + 10);
});

test('models are listed with their cards', async () => {
  const models = await calotype.models();
  const tintype = models.find(model => model.id === MODEL_ID);
  expect(tintype).toMatchObject({ ownedBy: 'calotype', card: { defaultSize: '128x128', imagesMax: 1, mask: true } });
  expect(tintype?.card.numInferenceSteps).toEqual({ min: 1, max: 50, default: 8 });
});
