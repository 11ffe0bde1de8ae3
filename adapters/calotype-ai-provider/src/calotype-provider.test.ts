import { InvalidArgumentError, NoSuchModelError } from '@ai-sdk/provider';
import { afterEach, expect, test, vi } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { calotype, createCalotype, type CalotypeProviderSettings } from './calotype-provider.js';
import { fakeServer, json } from './fake-server.js';
import { VERSION } from './version.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

async function requested(settings: CalotypeProviderSettings) {
  const { fetch, requests } = fakeServer(json({ data: [] }));
  await createCalotype({ ...settings, fetch }).models();
  return requests[0]!;
}

test('the server is on this machine unless somebody says another', async () => {
  vi.stubEnv('CALOTYPE_BASE_URL', '');
  expect((await requested({})).url).toBe('http://127.0.0.1:8000/v1/models');
  vi.stubEnv('CALOTYPE_BASE_URL', 'https://pictures.example/v1/');
  expect((await requested({})).url).toBe('https://pictures.example/v1/models');
  expect((await requested({ baseURL: 'https://own.example/v1/' })).url).toBe('https://own.example/v1/models');
});

test('an empty base URL is refused', () => {
  expect(() => createCalotype({ baseURL: '' })).toThrow(InvalidArgumentError);
});

test('no key is needed, and none is sent', async () => {
  vi.stubEnv('CALOTYPE_API_KEY', undefined);
  expect((await requested({})).headers).not.toHaveProperty('authorization');
});

test('the key is read when a request is made', async () => {
  const { fetch, requests } = fakeServer(json({ data: [] }));
  const provider = createCalotype({ fetch });
  vi.stubEnv('CALOTYPE_API_KEY', 'from the environment');
  await provider.models();
  expect(requests[0]?.headers.authorization).toBe('Bearer from the environment');
  expect((await requested({ apiKey: 'own' })).headers.authorization).toBe('Bearer own');
});

test('own headers are sent, and the package says its name', async () => {
  const { headers } = await requested({ headers: { 'x-team': 'prints' } });
  expect(headers['x-team']).toBe('prints');
  expect(headers['user-agent']).toContain(`calotype-ai-provider/${packageJson.version}`);
});

test('the version is that of the package', () => {
  expect(VERSION).toBe(packageJson.version);
});

test('image and imageModel are one', () => {
  for (const model of [calotype.image('calotype/tintype'), calotype.imageModel('calotype/tintype')]) {
    expect(model).toMatchObject({
      specificationVersion: 'v3',
      provider: 'calotype.image',
      modelId: 'calotype/tintype',
      maxImagesPerCall: Number.MAX_SAFE_INTEGER,
    });
  }
});

test.each([
  'languageModel',
  'embeddingModel',
  'textEmbeddingModel',
  'transcriptionModel',
  'speechModel',
  'rerankingModel',
] as const)('there is no %s', kind => {
  expect(() => calotype[kind]?.('calotype/tintype')).toThrow(NoSuchModelError);
});
