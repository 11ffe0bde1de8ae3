import { InvalidArgumentError } from '@ai-sdk/provider';
import { afterEach, expect, test, vi } from 'vitest';
import { createCalotype } from '../calotype-provider.js';
import { fakeServer, json } from '../fake-server.js';
import { get } from './fake-page.js';
import { createImageRoute } from './image-route.js';
import type { ImageRouteOptions } from './image-route-options.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test.each([
  [{ authorise: () => false }, 'authorise'],
  [{ authorize: true }, 'must be a function'],
  [{ reportError: 'console' }, 'must be a function'],
  [{ calotype: {} }, 'must be a provider'],
  [{ calotype: null }, 'must be a provider'],
  [{ models: [] }, 'models'],
  [{ models: [''] }, 'models'],
  [{ limits: { promptLength: 1 } }, 'promptLength'],
  [{ limits: { promptLengthMax: 0 } }, 'promptLengthMax'],
  [{ limits: { promptLengthMax: 32_001 } }, 'promptLengthMax'],
  [{ limits: { imagesMax: 0 } }, 'imagesMax'],
  [{ limits: { imagesMax: 11 } }, 'imagesMax'],
  [{ limits: { uploadBytesMax: -1 } }, 'uploadBytesMax'],
  [{ limits: { uploadBytesMax: 0.5 } }, 'uploadBytesMax'],
])('options %o are refused when the app starts', (options, named) => {
  const create = () => createImageRoute(options as ImageRouteOptions);
  expect(create).toThrow(InvalidArgumentError);
  expect(create).toThrow(named);
});

test('options at their bounds are none too many', () => {
  createImageRoute({ limits: { promptLengthMax: 32_000, imagesMax: 10, uploadBytesMax: 0 } });
  createImageRoute({ calotype: undefined, models: undefined, limits: undefined, authorize: undefined });
  createImageRoute();
});

test('without a provider the environment names the server', async () => {
  vi.stubEnv('CALOTYPE_BASE_URL', 'http://127.0.0.1:1/v1');
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect((await createImageRoute().GET(get())).status).toBe(502);
  expect(logged).toHaveBeenCalledExactlyOnceWith(
    'calotype-ai-provider/next:',
    expect.stringContaining('http://127.0.0.1:1/v1/models answered nothing: '),
  );
});

test('the log is told why, and nothing of the request', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  const { fetch } = fakeServer(json({ error: { message: 'CUDA error' } }, { status: 500 }));
  const calotype = createCalotype({ baseURL: 'http://server.test/v1', apiKey: 'secret', fetch });
  await createImageRoute({ calotype }).GET(get());
  const line = logged.mock.calls[0]!.join(' ');
  expect(line).toBe('calotype-ai-provider/next: http://server.test/v1/models answered 500: CUDA error');
});
