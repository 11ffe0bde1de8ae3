import { APICallError, generateImage } from 'ai';
import { createCalotype } from 'calotype-ai-provider';
import { expect, test } from 'vitest';
import {
  BASE_URL,
  BUSY_API_KEY,
  BUSY_BASE_URL,
  MODEL_ID,
  QUICK,
  engine,
  failureOf,
  until,
  watched,
} from './real-server.js';

test.each([
  [{ prompt: '' }, 400, 'prompt'],
  [{ prompt: 'a cat', size: 'enormous' as '1x1' }, 400, 'size'],
  [{ prompt: 'a cat', seed: -1 }, 400, 'seed'],
  [{ prompt: 'a cat', n: 1.5 }, 400, 'n'],
  [{ prompt: 'a cat', providerOptions: { calotype: { numInferenceSteps: 51 } } }, 400, 'num_inference_steps'],
  [{ prompt: { text: 'a cat', images: ['bm90IGEgcGljdHVyZQ=='] } }, 400, 'image'],
])('bad input is a typed error in the words of the server, and asked once: %o', async (call, statusCode, param) => {
  const { fetch, statuses } = watched();
  const model = createCalotype({ baseURL: BASE_URL, fetch }).image(MODEL_ID);
  const error = await failureOf(generateImage({ model, ...call }));
  expect(APICallError.isInstance(error)).toBe(true);
  expect(error).toMatchObject({ statusCode, isRetryable: false, data: { error: { param } } });
  expect((error as Error).message).not.toContain('Traceback');
  expect(statuses).toEqual([statusCode]);
});

test('options that are none are refused before the server is asked', async () => {
  const { fetch, statuses } = watched();
  const model = createCalotype({ baseURL: BASE_URL, fetch }).image(MODEL_ID);
  const providerOptions = { calotype: { steps: 2 } };
  const error = await failureOf(generateImage({ model, prompt: 'a cat', providerOptions }));
  expect(error).toMatchObject({ name: 'AI_InvalidArgumentError', message: expect.stringContaining('steps') });
  expect(statuses).toEqual([]);
});

test('an unknown model is told', async () => {
  const model = createCalotype({ baseURL: BASE_URL }).image('nobody/paints');
  const error = await failureOf(generateImage({ model, prompt: 'a cat' }));
  expect(error).toMatchObject({ statusCode: 404, data: { error: { code: 'model_not_found', param: 'model' } } });
});

test('a bad key is told, and is not in the message', async () => {
  const model = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: 'a wrong key' }).image(MODEL_ID);
  const error = await failureOf(generateImage({ model, prompt: 'a cat' }));
  expect(error).toMatchObject({ statusCode: 401, isRetryable: false });
  expect((error as Error).message).not.toContain('wrong');
});

test('no server is told, and may be asked again', async () => {
  const model = createCalotype({ baseURL: 'http://127.0.0.1:1/v1' }).image(MODEL_ID);
  const error = await failureOf(generateImage({ model, prompt: 'a cat', maxRetries: 0 }));
  expect(error).toMatchObject({ name: 'AI_APICallError', isRetryable: true });
});

/** Keeps the one place of the busy server until `leave` is called, or for some seconds. */
async function takeThePlace() {
  // Whoever left before may still be in a step: it is not theirs that is waited for below.
  await until(async () => (await engine(BUSY_BASE_URL, BUSY_API_KEY)).running === 0);
  const controller = new AbortController();
  const model = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: BUSY_API_KEY }).image(MODEL_ID);
  const providerOptions = { calotype: { numInferenceSteps: 10 } };
  const painting = failureOf(
    generateImage({ model, prompt: 'a cat', n: 10, seed: 1, providerOptions, abortSignal: controller.signal }),
  );
  await until(async () => (await engine(BUSY_BASE_URL, BUSY_API_KEY)).running > 0);
  return async () => {
    controller.abort();
    await painting;
  };
}

test('who is refused is told why, and when to come back', async () => {
  const leave = await takeThePlace();
  const model = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: BUSY_API_KEY }).image(MODEL_ID);
  const error = await failureOf(generateImage({ model, prompt: 'a dog', maxRetries: 0 }));
  await leave();
  expect(error).toMatchObject({ statusCode: 429, isRetryable: true, data: { error: { code: 'model_busy' } } });
  expect(Number((error as APICallError).responseHeaders?.['retry-after-ms'])).toBeGreaterThan(0);
});

test.each(['generateImage', 'streamImage'])('%s asks a busy server again, until it has a place', async name => {
  const leave = await takeThePlace();
  const { fetch, statuses } = watched();
  const leaving: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    await leave();
    return response;
  };
  const calotype = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: BUSY_API_KEY, fetch: leaving });
  const call = { prompt: 'a dog', providerOptions: QUICK };
  if (name === 'generateImage') {
    await generateImage({ ...call, model: calotype.image(MODEL_ID) });
  } else {
    for await (const part of calotype.streamImage({ ...call, model: MODEL_ID })) {
      expect(part.type).not.toBe('error');
    }
  }
  expect(statuses).toEqual([429, 200]);
});
