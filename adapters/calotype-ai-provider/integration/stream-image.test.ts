import { createCalotype, readImageStream, type CalotypeImageStreamPart } from 'calotype-ai-provider';
import { expect, test } from 'vitest';
import { BASE_URL, BUSY_API_KEY, BUSY_BASE_URL, LONG, MASK, MODEL_ID, engine, failureOf, until } from './real-server.js';

const calotype = createCalotype({ baseURL: BASE_URL });
/** Another one in each run: the server would give the same call its remembered answer, without any way to it. */
const SEED = Math.floor(Math.random() * 1e9);
const FOX = { model: MODEL_ID, prompt: 'a red fox on a blue background' };
const FOUR_STEPS = { calotype: { numInferenceSteps: 4 } };

async function collect(parts: AsyncIterable<CalotypeImageStreamPart>): Promise<CalotypeImageStreamPart[]> {
  const collected: CalotypeImageStreamPart[] = [];
  for await (const part of parts) {
    collected.push(part);
  }
  return collected;
}

test('two pictures are told of on their way', async () => {
  const parts = await collect(calotype.streamImage({ ...FOX, n: 2, seed: SEED, previews: 1, providerOptions: FOUR_STEPS }));
  const count = (type: string) => parts.filter(part => part.type === type).length;
  expect(count('progress')).toBe(8);
  expect(count('preview')).toBe(2);
  expect(count('image')).toBe(2);
  const preview = parts.find(part => part.type === 'preview');
  expect(preview?.image).toMatchObject({ mediaType: 'image/jpeg', base64: expect.stringMatching(/^\/9j/) });
  const image = parts.find(part => part.type === 'image');
  expect(image?.image).toMatchObject({ mediaType: 'image/png', base64: expect.stringMatching(/^iVBOR/) });
  const finish = parts.at(-1);
  expect(finish).toMatchObject({ type: 'finish', warnings: [], usage: { outputTokens: 128 } });
  expect(finish?.type === 'finish' && finish.providerMetadata.calotype?.images).toMatchObject([
    { seed: SEED, modelId: MODEL_ID },
    { seed: SEED + 1, modelId: MODEL_ID },
  ]);
});

test('what goes through a route handler arrives in the page', async () => {
  const stream = calotype.streamImage({ ...FOX, providerOptions: FOUR_STEPS });
  const parts = await collect(readImageStream(stream.toEventStreamResponse()));
  expect(parts.map(part => part.type)).toContain('preview');
  expect(parts.at(-1)?.type).toBe('finish');
});

test('an edit with a mask is streamed too', async () => {
  const [start] = (await collect(calotype.streamImage({ ...FOX, previews: 0, providerOptions: FOUR_STEPS }))).filter(
    part => part.type === 'image',
  );
  const prompt = { text: 'a blue fox', images: [start!.image.base64], mask: MASK };
  const parts = await collect(calotype.streamImage({ ...FOX, prompt, providerOptions: FOUR_STEPS }));
  expect(parts.at(-1)).toMatchObject({ type: 'finish', warnings: [] });
});

test.each(['leaves the loop', 'aborts'])('who %s stops the engine', async how => {
  const before = (await engine()).steps_done;
  const controller = new AbortController();
  const stream = calotype.streamImage({ ...FOX, n: 10, providerOptions: LONG, abortSignal: controller.signal });
  const reading = (async () => {
    for await (const part of stream) {
      if (part.type === 'progress' && how === 'aborts') {
        controller.abort();
      } else if (part.type === 'progress') {
        return;
      }
    }
  })();
  const failure = await failureOf(reading);
  expect((failure as Error | undefined)?.name).toBe(how === 'aborts' ? 'AbortError' : undefined);
  await until(async () => (await engine()).running === 0);
  expect((await engine()).steps_done - before).toBeLessThan(500);
});

test('a page that leaves stops the engine', async () => {
  const before = (await engine()).steps_done;
  const stream = calotype.streamImage({ ...FOX, n: 10, providerOptions: LONG });
  for await (const part of readImageStream(stream.toEventStreamResponse())) {
    if (part.type === 'progress') {
      break;
    }
  }
  await until(async () => (await engine()).running === 0);
  expect((await engine()).steps_done - before).toBeLessThan(500);
});

test('what is wrong with the call is told as the status says', async () => {
  const error = await failureOf(collect(calotype.streamImage({ ...FOX, size: 'enormous' as '1x1' })));
  expect(error).toMatchObject({ name: 'AI_APICallError', statusCode: 400, isRetryable: false });
  const stranger = createCalotype({ baseURL: BUSY_BASE_URL, apiKey: `not ${BUSY_API_KEY}` });
  expect(await failureOf(collect(stranger.streamImage(FOX)))).toMatchObject({ statusCode: 401 });
});
