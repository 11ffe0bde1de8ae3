import { expect, test } from 'vitest';
import { COMPLETED, events, fakeServer, json } from '../fake-server.js';
import { readImageStream } from '../read-image-stream.js';
import { createCalotype } from '../calotype-provider.js';
import { collect } from '../fake-server.js';
import { EVENTS, get, post, routeOver, SECRETS, told } from './fake-page.js';

const FOX = { prompt: 'a red fox' };
const QUEUED = { type: 'image_generation.queued', position: 1 };

function failure(status: number, error: Record<string, unknown>, headers: Record<string, string> = {}) {
  return json({ error: { message: 'what was wanted, and what came', ...error } }, { status, headers });
}

const page = (status: number) => () => new Response('<h1>secret server.test</h1>', { status, statusText: 'secret' });

const FAILED = { error: 'The picture server failed.' };
const UNREACHABLE = { error: 'The picture server cannot be reached.' };
const NOT_LET_IN = { error: 'The picture server does not let this app in.' };
const HANDED_ON = { error: 'what was wanted, and what came' };

test.each([
  [failure(400, { param: 'num_inference_steps' }), 400, { ...HANDED_ON, parameter: 'numInferenceSteps' }],
  [failure(400, { param: 'guidance_scale' }), 400, { ...HANDED_ON, parameter: 'guidance' }],
  [failure(400, { param: 'images' }), 400, { ...HANDED_ON, parameter: 'image' }],
  [failure(400, { param: 'partial_images' }), 400, { ...HANDED_ON, parameter: 'previews' }],
  [failure(400, { param: 'constructor' }), 400, { ...HANDED_ON, parameter: 'constructor' }],
  [failure(400, { param: null }), 400, HANDED_ON],
  [failure(404, { param: 'model', code: 'model_not_found' }), 404, { ...HANDED_ON, parameter: 'model' }],
  [failure(404, { code: 'not_found', message: 'no route at secret' }), 500, FAILED],
  [failure(413, {}), 413, HANDED_ON],
  [failure(401, { message: 'secret is no key' }), 500, NOT_LET_IN],
  [failure(403, { message: 'the door is not open to server.test' }), 500, NOT_LET_IN],
  [failure(405, {}), 500, FAILED],
  [failure(415, {}), 500, FAILED],
  [failure(429, {}), 429, HANDED_ON],
  [failure(500, { message: 'secret at server.test' }), 500, FAILED],
  [failure(502, { message: 'secret at server.test' }), 500, FAILED],
  [failure(503, { message: 'secret at server.test' }), 503, { error: 'The picture server cannot paint just now.' }],
  [failure(507, { message: 'secret at server.test' }), 500, FAILED],
  [page(400), 500, FAILED],
  [page(401), 500, NOT_LET_IN],
  [page(404), 500, FAILED],
  [page(413), 500, FAILED],
  [page(429), 429, { error: 'Too many pictures are asked for just now.' }],
  [page(502), 502, UNREACHABLE],
  [page(503), 503, { error: 'The picture server cannot paint just now.' }],
  [page(504), 502, UNREACHABLE],
  [page(200), 502, UNREACHABLE],
  [json({ hello: 'world' }), 502, UNREACHABLE],
  [events([{ error: { message: 'what was wanted, and what came', type: 'invalid_request_error' } }]), 400, HANDED_ON],
  [events([{ error: { message: 'what was wanted, and what came', type: 'rate_limit_error' } }]), 429, HANDED_ON],
  [events([{ error: { message: 'RuntimeError: secret', type: 'server_error' } }]), 500, FAILED],
  [events([{ error: { message: 'RuntimeError: secret', type: 'constructor' } }]), 500, FAILED],
])('a failure of the server is told in its status, before anything else (%#)', async (answer, status, body) => {
  for (const headers of [{}, EVENTS]) {
    const { POST, requests, reported } = routeOver([answer]);
    const response = await POST(post(FOX, { headers }));
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answered = await told(response);
    expect(answered).toEqual({ status, body });
    expect(JSON.stringify(answered)).not.toMatch(SECRETS);
    expect(requests.length).toBe(1);
    expect(reported.length).toBe(status >= 500 ? 1 : 0);
  }
});

test.each([429, 503])('who is answered %i is told when to come back, as the server says it', async status => {
  const { POST } = routeOver([failure(status, {}, { 'retry-after': '7' })]);
  expect((await POST(post(FOX))).headers.get('retry-after')).toBe('7');
  const { POST: other } = routeOver([failure(status, {})]);
  expect((await other(post(FOX))).headers.has('retry-after')).toBe(false);
});

test("the server's messages have the body's words", async () => {
  const message = "num_inference_steps must be at most 50, guidance_scale at least 1, got 'snake_case'";
  const { POST } = routeOver([failure(400, { message, param: 'num_inference_steps' })]);
  expect((await told(await POST(post(FOX)))).body).toEqual({
    error: "numInferenceSteps must be at most 50, guidance at least 1, got 'snake_case'",
    parameter: 'numInferenceSteps',
  });
});

test.each([
  new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED server.test:8000') }),
  new TypeError('Network connection lost: server.test'),
  new DOMException('The operation timed out: server.test', 'TimeoutError'),
])('a server that cannot be reached is told without its name: %s', async error => {
  const calotype = createCalotype({ baseURL: 'http://server.test/v1', fetch: () => Promise.reject(error) });
  const { GET, POST, reported } = routeOver([], { calotype });
  expect(await told(await POST(post(FOX)))).toEqual({ status: 502, body: UNREACHABLE });
  expect(await told(await GET(get()))).toEqual({ status: 502, body: UNREACHABLE });
  expect(reported.length).toBe(2);
});

test('what nobody foresaw is 500, and told to the app', async () => {
  const error = new RangeError('secret of server.test');
  const calotype = createCalotype({ baseURL: 'http://server.test/v1', fetch: () => Promise.reject(error) });
  const { POST, reported } = routeOver([], { calotype });
  expect(await told(await POST(post(FOX)))).toEqual({ status: 500, body: { error: 'Something went wrong.' } });
  expect(reported).toEqual([error]);
});

test.each([
  [failure(401, { message: 'secret' }), 500, NOT_LET_IN],
  [failure(404, {}), 500, FAILED],
  [failure(429, {}), 429, HANDED_ON],
  [json({ data: [{}] }), 502, UNREACHABLE],
])('a list of models that fails is told so (%#)', async (answer, status, body) => {
  const { GET } = routeOver([answer]);
  expect(await told(await GET(get()))).toEqual({ status, body });
});

test.each([
  [{ error: { message: 'RuntimeError: secret', type: 'server_error' } }, 'The picture server failed.'],
  [{ error: { message: 'guidance_scale is too high', type: 'invalid_request_error' } }, 'guidance is too high'],
  [{ ...COMPLETED, b64_json: 7 }, 'The picture server cannot be reached.'],
])('what fails on the way is the last of the events (%#)', async (event, message) => {
  const { POST, reported } = routeOver([events([QUEUED, event])]);
  const response = await POST(post(FOX, { headers: EVENTS }));
  expect(response.status).toBe(200);
  const text = await response.clone().text();
  expect(text.trim().split('\n\n').at(-1)).toBe(`data: ${JSON.stringify({ type: 'error', message })}`);
  await expect(collect(readImageStream(response))).rejects.toThrow(message);
  expect(reported.length).toBe(message.startsWith('The') ? 1 : 0);
});

test('a stream without a picture has failed', async () => {
  const { fetch } = fakeServer(events([QUEUED]));
  const { POST } = routeOver([], { calotype: createCalotype({ baseURL: 'http://server.test/v1', fetch }) });
  expect(await told(await POST(post(FOX)))).toEqual({ status: 502, body: UNREACHABLE });
});
