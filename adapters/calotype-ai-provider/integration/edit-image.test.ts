import { generateImage } from 'ai';
import { createCalotype } from 'calotype-ai-provider';
import { beforeAll, expect, test } from 'vitest';
import { BASE_URL, MASK, MODEL_ID, failureOf, sizeOf, watched } from './real-server.js';

const { fetch, bodies } = watched();
const model = createCalotype({ baseURL: BASE_URL, fetch }).image(MODEL_ID);
const providerOptions = { calotype: { numInferenceSteps: 4, strength: 0.5 } };
let apple: { base64: string; uint8Array: Uint8Array };

beforeAll(async () => {
  apple = (await generateImage({ model, prompt: 'a big apple on a blue background', seed: 3 })).image;
});

const EDITS: Array<[string, () => string | Uint8Array]> = [
  ['bytes', () => apple.uint8Array],
  ['base64', () => apple.base64],
  ['a data URI', () => `data:image/png;base64,${apple.base64}`],
];

test.each(EDITS)('a picture from %s is painted over', async (_, picture) => {
  const { image, warnings, usage } = await generateImage({
    model,
    prompt: { text: 'a big apple on a red background', images: [picture()] },
    seed: 7,
    providerOptions,
  });
  expect(sizeOf(image.uint8Array)).toBe('128x128');
  expect(image.base64).not.toBe(apple.base64);
  expect(warnings).toEqual([]);
  // Its tokens were counted, so it was read.
  expect(usage.inputTokens).toBeGreaterThan(64);
  expect(bodies.at(-1)?.image).toEqual([`data:image/png;base64,${apple.base64}`]);
});

test('a mask says what is painted anew', async () => {
  const { image, warnings } = await generateImage({
    model,
    prompt: { text: 'a big apple on a red background', images: [apple.uint8Array], mask: MASK },
    providerOptions: { calotype: { numInferenceSteps: 4 } },
  });
  expect(sizeOf(image.uint8Array)).toBe('128x128');
  expect(warnings).toEqual([]);
  expect(bodies.at(-1)?.mask).toBe(`data:image/png;base64,${MASK}`);
});

test('a picture may come in the options', async () => {
  const { usage } = await generateImage({
    model,
    prompt: 'a big apple on a red background',
    providerOptions: { calotype: { ...providerOptions.calotype, inputImages: [apple.base64] } },
  });
  expect(usage.inputTokens).toBeGreaterThan(64);
});

test('a picture from a URL is fetched by the server', async () => {
  const url = await urlOfAnApple();
  const { image, usage } = await generateImage({
    model,
    prompt: { text: 'a big apple on a red background', images: [url], mask: MASK },
    providerOptions: { calotype: { numInferenceSteps: 4 } },
  });
  expect(bodies.at(-1)?.image).toEqual([url]);
  expect(sizeOf(image.uint8Array)).toBe('128x128');
  expect(usage.inputTokens).toBeGreaterThan(64);
});

async function urlOfAnApple(): Promise<string> {
  const answer = await globalThis.fetch(`${BASE_URL}/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a big apple on a blue background', response_format: 'url', num_inference_steps: 4 }),
  });
  const { data } = (await answer.json()) as { data: [{ url: string }] };
  return data[0].url;
}

test('the server asks nobody inside, whatever the URL', async () => {
  const prompt = { text: 'a red apple', images: ['http://10.0.0.1/apple.png'] };
  const error = await failureOf(generateImage({ model, prompt, providerOptions }));
  expect(bodies.at(-1)?.image).toEqual(['http://10.0.0.1/apple.png']);
  expect(error).toMatchObject({ statusCode: 400, isRetryable: false });
});

test('too many pictures are refused in the words of the server', async () => {
  const prompt = { text: 'a red apple', images: [apple.base64, apple.base64] };
  const error = await failureOf(generateImage({ model, prompt, providerOptions }));
  expect(error).toMatchObject({ statusCode: 400, message: expect.stringContaining('at most 1 image') });
});
