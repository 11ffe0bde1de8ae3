import { expect, test, vi } from 'vitest';
import { COMPLETED, events } from '../fake-server.js';
import { get, post, routeOver, told } from './fake-page.js';

const FOX = { prompt: 'a red fox' };
const REFUSED = { status: 401, body: { error: 'you may not paint here: sign in first' } };

test.each([true, Promise.resolve(true)])('who may paint does (%#)', async allowed => {
  const { POST } = routeOver([events([COMPLETED])], { authorize: () => allowed });
  expect((await POST(post(FOX))).status).toBe(200);
});

const REFUSALS = [false, Promise.resolve(false), undefined, 'yes'];

test.each(REFUSALS)('who may not is told before the body is read (%#)', async allowed => {
  const { GET, POST, requests } = routeOver([], { authorize: () => allowed as boolean });
  const request = post('no JSON');
  const response = await POST(request);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await told(response)).toEqual(REFUSED);
  expect(request.bodyUsed).toBe(false);
  expect(await told(await GET(get()))).toEqual(REFUSED);
  expect(requests).toEqual([]);
});

test('a Response is sent as it is', async () => {
  const response = new Response('come back tomorrow', { status: 429 });
  const { POST } = routeOver([], { authorize: async () => response });
  expect(await POST(post(FOX))).toBe(response);
});

test('the request is what it decides by', async () => {
  const authorize = vi.fn((request: Request) => request.headers.get('cookie') === 'session=ada');
  const { POST } = routeOver([events([COMPLETED])], { authorize });
  expect((await POST(post(FOX))).status).toBe(401);
  expect((await POST(post(FOX, { headers: { cookie: 'session=ada' } }))).status).toBe(200);
});

test('what it throws is not told', async () => {
  const error = new Error('postgres://ada:secret@10.0.0.1 refused');
  const { POST, reported } = routeOver([], { authorize: () => Promise.reject(error) });
  expect(await told(await POST(post(FOX)))).toEqual({ status: 500, body: { error: 'Something went wrong.' } });
  expect(reported).toEqual([error]);
});

test('what it throws to Next.js arrives there', async () => {
  const redirect = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;replace;/sign-in;307;' });
  const { POST, reported } = routeOver([], {
    authorize: () => {
      throw redirect;
    },
  });
  await expect(POST(post(FOX))).rejects.toBe(redirect);
  expect(reported).toEqual([]);
});

test('a body that it has read is a mistake of the app', async () => {
  const { POST, reported } = routeOver([], { authorize: async request => (await request.text()) !== '' });
  expect((await POST(post(FOX))).status).toBe(500);
  expect(reported).toHaveLength(1);
});
