import { createProviderRegistry, customProvider, generateImage, wrapImageModel, type ImageModel } from 'ai';
import { createCalotype } from 'calotype-ai-provider';
import { afterEach, expect, test } from 'vitest';
import { BASE_URL, MODEL_ID, QUICK, failureOf } from './real-server.js';

const calotype = createCalotype({ baseURL: BASE_URL });
type Middleware = Exclude<Parameters<typeof wrapImageModel>[0]['middleware'], readonly unknown[]>;

const held = globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown };

afterEach(() => {
  delete held.AI_SDK_DEFAULT_PROVIDER;
});

async function seedsOf(model: ImageModel): Promise<unknown> {
  const { providerMetadata } = await generateImage({ model, prompt: 'a red fox', n: 2, seed: 7, providerOptions: QUICK });
  return providerMetadata.calotype?.images.map(image => (image as { seed: number }).seed);
}

test('as the default provider it takes bare names', async () => {
  held.AI_SDK_DEFAULT_PROVIDER = calotype;
  expect(await seedsOf(MODEL_ID)).toEqual([7, 8]);
});

test('it is a provider in a registry', async () => {
  const registry = createProviderRegistry({ calotype });
  expect(await seedsOf(registry.imageModel(`calotype:${MODEL_ID}`))).toEqual([7, 8]);
  const error = await failureOf(Promise.resolve().then(() => registry.languageModel('calotype:gpt')));
  expect(error).toHaveProperty('name', 'AI_NoSuchModelError');
});

test('its models have other names in a custom provider', async () => {
  const custom = customProvider({ imageModels: { quick: calotype.image(MODEL_ID) }, fallbackProvider: calotype });
  expect(await seedsOf(custom.imageModel('quick'))).toEqual([7, 8]);
  expect(await seedsOf(custom.imageModel('gpt-image-1' as 'quick'))).toEqual([7, 8]);
});

test('it can be wrapped', async () => {
  const middleware: Middleware = {
    // The one word in which the two SDKs differ here; neither reads it.
    ...({ specificationVersion: 'v3' } as object as Pick<Middleware, 'specificationVersion'>),
    transformParams: async ({ params }) => ({ ...params, seed: 40 }),
  };
  const model = wrapImageModel({ model: calotype.image(MODEL_ID), middleware });
  expect(await seedsOf(model)).toEqual([40, 41]);
});
