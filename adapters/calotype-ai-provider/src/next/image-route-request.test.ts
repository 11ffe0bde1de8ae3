import { expect, test } from 'vitest';
import { COMPLETED, events } from '../fake-server.js';
import { pieces, post, routeOver, told } from './fake-page.js';
import { bodyBytesMax } from './uploads.js';

const FOX = { prompt: 'a red fox' };
const LIMITS = { promptLengthMax: 20, imagesMax: 2, uploadBytesMax: 6 };
const SEED_MAX = Number.MAX_SAFE_INTEGER;
const SIZE_WANTED = 'size must be like "1024x768", with sides from 1 to 16384';
const RATIO_WANTED = 'aspectRatio must be like "16:9", with terms from 1 to 10000';
const IMAGE_WANTED = 'image must be base64, a data URI, or a list of at most 16 of them';

async function answerTo(body: unknown, headers?: Record<string, string>) {
  const { POST, requests, reported } = routeOver([events([COMPLETED])], { limits: LIMITS });
  const { status, body: answer } = await told(await POST(post(body, { headers })));
  expect(reported).toEqual([]);
  return { status, answer, wasAsked: requests.length > 0 };
}

test.each([
  [{}, 'prompt', 'prompt is required'],
  [{ prompt: null }, 'prompt', 'prompt must be a text, got null'],
  [{ prompt: ['a red fox'] }, 'prompt', 'prompt must be a text, got a list of 1'],
  [{ prompt: ' \n' }, 'prompt', 'prompt must not be empty'],
  [{ prompt: '', image: [] }, 'prompt', 'prompt must not be empty'],
  [{ prompt: 'x'.repeat(21) }, 'prompt', 'prompt must have at most 20 characters'],
  [{ prompt: '🦊'.repeat(21) }, 'prompt', 'prompt must have at most 20 characters'],
  [{ ...FOX, negativePrompt: 'x'.repeat(41) }, 'negativePrompt', 'negativePrompt must have at most 20 characters'],
  [{ prompt: 'half a \ud83e' }, 'prompt', 'prompt holds half a character'],
  [{ ...FOX, negativePrompt: '\udd8a fox' }, 'negativePrompt', 'negativePrompt holds half a character'],
  [{ ...FOX, negativePrompt: 7 }, 'negativePrompt', 'negativePrompt must be a text, got 7'],
  [{ ...FOX, model: '' }, 'model', 'model must be the id of a model, got ""'],
  [{ ...FOX, model: 'x'.repeat(201) }, 'model', 'model must be the id of a model, got a text of 201 characters'],
  [{ ...FOX, size: '128' }, 'size', `${SIZE_WANTED}, got "128"`],
  [{ ...FOX, size: '128x0' }, 'size', `${SIZE_WANTED}, got "128x0"`],
  [{ ...FOX, size: '16:9' }, 'size', `${SIZE_WANTED}, got "16:9"`],
  [{ ...FOX, size: '1x16385' }, 'size', `${SIZE_WANTED}, got "1x16385"`],
  [{ ...FOX, size: '1x1\n' }, 'size', `${SIZE_WANTED}, got "1x1\\n"`],
  [{ ...FOX, size: 128 }, 'size', `${SIZE_WANTED}, got 128`],
  [{ ...FOX, aspectRatio: '16x9' }, 'aspectRatio', `${RATIO_WANTED}, got "16x9"`],
  [{ ...FOX, aspectRatio: '1:10001' }, 'aspectRatio', `${RATIO_WANTED}, got "1:10001"`],
  [{ ...FOX, seed: -1 }, 'seed', `seed must be a whole number from 0 to ${SEED_MAX}, got -1`],
  [{ ...FOX, seed: 0.5 }, 'seed', `seed must be a whole number from 0 to ${SEED_MAX}, got 0.5`],
  [{ ...FOX, seed: SEED_MAX + 1 }, 'seed', `seed must be a whole number from 0 to ${SEED_MAX}, got ${SEED_MAX + 1}`],
  [{ ...FOX, seed: '7' }, 'seed', `seed must be a whole number from 0 to ${SEED_MAX}, got "7"`],
  [{ ...FOX, n: 0 }, 'n', 'n must be a whole number from 1 up, got 0'],
  [{ ...FOX, n: 3 }, 'n', 'n must be from 1 to 2, got 3'],
  [{ ...FOX, numInferenceSteps: 0 }, 'numInferenceSteps', 'numInferenceSteps must be a whole number from 1 up, got 0'],
  [{ ...FOX, guidance: -1 }, 'guidance', 'guidance must be a number from 0 up, got -1'],
  [{ ...FOX, strength: 1.1 }, 'strength', 'strength must be a number from 0 to 1, got 1.1'],
  [{ ...FOX, strength: {} }, 'strength', 'strength must be a number from 0 to 1, got an object'],
  [{ ...FOX, previews: 4 }, 'previews', 'previews must be a whole number from 0 to 3, got 4'],
  [{ ...FOX, previews: -1 }, 'previews', 'previews must be a whole number from 0 to 3, got -1'],
  [{ ...FOX, image: 7 }, 'image', `${IMAGE_WANTED}, got 7`],
  [{ ...FOX, image: [7] }, 'image', `${IMAGE_WANTED}, got a list of 1`],
  [
    { ...FOX, image: Array.from({ length: 17 }, () => 'UQ==') },
    'image',
    `${IMAGE_WANTED}, got a list of 17`,
  ],
  [{ ...FOX, mask: ['UQ=='] }, 'mask', 'mask must be base64 or a data URI, got a list of 1'],
  [{ ...FOX, steps: 4 }, 'steps', 'there is no field "steps"'],
  [{ ...FOX, ['x'.repeat(50)]: 4 }, 'x'.repeat(40), `there is no field "${'x'.repeat(40)}"`],
])('%o is refused, naming %s', async (body, parameter, error) => {
  expect(await answerTo(body)).toEqual({ status: 400, answer: { error, parameter }, wasAsked: false });
});

test('guidance has an end that JSON does not', async () => {
  const { answer } = await answerTo('{"prompt": "a red fox", "guidance": 1e999}');
  expect(answer).toEqual({ error: 'guidance must be a number from 0 up, got Infinity', parameter: 'guidance' });
});

test('of many unknown fields some are named', async () => {
  const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, index]));
  const { answer } = await answerTo({ ...FOX, ...unknown });
  expect(answer).toEqual({
    error: 'there is no field "field0", "field1", "field2", "field3", "field4", "field5", "field6", "field7"',
    parameter: 'field0',
  });
});

test.each([
  { prompt: 'x'.repeat(20), negativePrompt: '🦊'.repeat(20) },
  { ...FOX, model: 'x'.repeat(200) },
  { ...FOX, size: '16384x1' },
  { ...FOX, aspectRatio: '10000:1' },
  { ...FOX, seed: SEED_MAX },
  { ...FOX, n: 2 },
  { ...FOX, guidance: 0, strength: 1, numInferenceSteps: 1 },
  { ...FOX, previews: 0 },
  { ...FOX, image: [] },
  { ...FOX, image: Array.from({ length: 6 }, () => 'UQ==') },
  { prompt: '', image: 'UE5H' },
  Object.fromEntries(
    ['model', 'size', 'aspectRatio', 'seed', 'n', 'image', 'mask', 'strength', 'previews', 'guidance', 'negativePrompt']
      .map((name): [string, unknown] => [name, null])
      .concat(Object.entries(FOX)),
  ),
])('%o is asked for', async body => {
  expect(await answerTo(body)).toMatchObject({ status: 200, wasAsked: true });
});

test('a key of the prototype is a field that is not there', async () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const { status, answer } = await answerTo(`{"prompt": "a red fox", "${name}": {}}`);
    const refusal = { error: `there is no field "${name}"`, parameter: name };
    expect({ status, answer }).toEqual({ status: 400, answer: refusal });
  }
});

const NOT_BASE64 = 'must be base64, or a data URI of a picture in base64';
const NO_URL = 'must be the picture itself: no URL is fetched';

test.each([
  ['', NOT_BASE64],
  ['UE5', NOT_BASE64],
  ['UE5H\n', NOT_BASE64],
  ['UE5H UE5H', NOT_BASE64],
  ['UE-_', NOT_BASE64],
  ['=', NOT_BASE64],
  ['====', NOT_BASE64],
  ['U===', NOT_BASE64],
  ['UQ==UQ==', NOT_BASE64],
  ['data:image/png;base64,', NOT_BASE64],
  ['data:image/png,UE5H', NOT_BASE64],
  ['data:text/html;base64,UE5H', NOT_BASE64],
  ['data:;base64,UE5H', NOT_BASE64],
  ['data:image/png;base64,UE5H%0A', NOT_BASE64],
  [' data:image/png;base64,UE5H', NOT_BASE64],
  ['blob:http://app.test/1', NOT_BASE64],
  ['file:///etc/passwd', NOT_BASE64],
  ['/etc/passwd', NOT_BASE64],
  ['http://169.254.169.254/latest', NO_URL],
  ['HTTPS://pictures.example/fox.png', NO_URL],
])('%j is no picture', async (picture, wrong) => {
  const refusal = (parameter: string) => ({
    status: 400,
    answer: { error: `${parameter} ${wrong}`, parameter },
    wasAsked: false,
  });
  expect(await answerTo({ ...FOX, image: picture })).toEqual(refusal('image'));
  expect(await answerTo({ ...FOX, image: ['UQ==', picture] })).toEqual(refusal('image'));
  expect(await answerTo({ ...FOX, image: 'UQ==', mask: picture })).toEqual(refusal('mask'));
});

test.each(['UE5HUE5H', 'DATA:image/svg+xml;BASE64,UE5HUE4='])('%s is one', async image => {
  expect((await answerTo({ ...FOX, image })).status).toBe(200);
});

test.each([
  [{ image: 'UE5HUE5H' }, undefined],
  [{ image: 'UE5HUE5HUQ==' }, 'image'],
  [{ image: ['UE5H', 'UE5H'] }, undefined],
  [{ image: ['UE5H', 'UE5H', 'UQ=='] }, 'image'],
  [{ image: ['UE5H', 'data:image/png;base64,UE4='], mask: 'UQ==' }, undefined],
  [{ image: ['UE5H', 'data:image/png;base64,UE4='], mask: 'UE4=' }, 'mask'],
])('six bytes may be uploaded, and no seventh: %o', async (pictures, parameter) => {
  const { status, answer, wasAsked } = await answerTo({ ...FOX, ...pictures });
  expect({ status, wasAsked }).toEqual({ status: parameter ? 413 : 200, wasAsked: parameter === undefined });
  if (parameter !== undefined) {
    expect(answer).toEqual({ error: 'image and mask must have at most 6 bytes together', parameter });
  }
});

const MEBIBYTES_16 = 'A'.repeat(((16 * 2 ** 20 - 1) / 3) * 4);

test.each([
  [{ prompt: 'x'.repeat(4000) }, 200],
  [{ prompt: 'x'.repeat(4001) }, 400],
  [{ ...FOX, n: 4 }, 200],
  [{ ...FOX, n: 5 }, 400],
  [{ ...FOX, image: Array.from({ length: 16 }, () => 'UQ==') }, 200],
  [{ ...FOX, image: MEBIBYTES_16, mask: 'UQ==' }, 200],
  [{ ...FOX, image: MEBIBYTES_16, mask: 'UE4=' }, 413],
])('where the app names no limits there are some (%#)', async (body, status) => {
  const { POST } = routeOver([events([COMPLETED])]);
  expect((await POST(post(body))).status).toBe(status);
});

test.each([0, 1])('a body may be as long as its bound, and no longer: %i more', async more => {
  const bytesMax = bodyBytesMax(LIMITS);
  const text = JSON.stringify(FOX).padEnd(bytesMax + more);
  const announced = { 'content-length': '10' };
  for (const body of [text, pieces(...cut(new TextEncoder().encode(text), 1000))]) {
    expect(await answerTo(body, announced)).toMatchObject(
      more === 0
        ? { status: 200 }
        : { status: 413, answer: { error: `the body must have at most ${bytesMax} bytes` }, wasAsked: false },
    );
  }
});

test('a body without an end is read as far as its bound', async () => {
  let bytes = 0;
  let wasCancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      bytes += 1000;
      controller.enqueue(new Uint8Array(1000).fill(0x20));
    },
    cancel() {
      wasCancelled = true;
      // At the edge it has ended only when all was sent.
      return new Promise(() => {});
    },
  });
  expect((await answerTo(endless)).status).toBe(413);
  expect(bytes).toBeLessThan(bodyBytesMax(LIMITS) + 10_000);
  expect(wasCancelled).toBe(true);
});

test('whatever the limits allow is within the bound of the body', () => {
  const limits = { promptLengthMax: 32_000, uploadBytesMax: 1000 };
  const picture = `data:image/${'x'.repeat(64)};base64,${'UE5H'.repeat(20)}`;
  const text = '\\ud83e\\udd8a'.repeat(32_000);
  const image = Array.from({ length: 16 }, () => picture);
  const body = JSON.stringify({ prompt: '', negativePrompt: '', image, mask: 'UE5H'.repeat(13), model: 'x'.repeat(200) });
  expect(body.length + 2 * text.length).toBeLessThan(bodyBytesMax(limits));
});

test.each(['no JSON', '[[[', '', '{"prompt": "a red fox"', "{'prompt': 1}"])('%s is no JSON', async body => {
  expect(await answerTo(body)).toEqual({ status: 400, answer: { error: 'the body must be JSON' }, wasAsked: false });
});

test.each(['null', '[]', '"a red fox"', '7'])('%s is no object', async body => {
  const error = 'the body must be a JSON object';
  expect(await answerTo(body)).toEqual({ status: 400, answer: { error }, wasAsked: false });
});

test.each(['[', '{"a":', '[],'])('a body full of %s is not taken apart', async mark => {
  const { POST, requests, reported } = routeOver([]);
  const { body } = await told(await POST(post(`{"prompt": ${mark.repeat(5_000_000 / mark.length)}`)));
  expect(body).toEqual({ error: 'the body holds too many values' });
  expect(requests).toEqual([]);
  expect(reported).toEqual([]);
});

test.each(['[', '{', ','])('a hundred thousand %s are not too many', async mark => {
  const { POST } = routeOver([events([COMPLETED])]);
  const body = (count: number) => JSON.stringify({ prompt: mark.repeat(count), negativePrompt: '' });
  const marks = 100_000 - (mark === '[' ? 0 : 1);
  expect((await told(await POST(post(body(marks))))).body).toMatchObject({ parameter: 'prompt' });
  expect((await told(await POST(post(body(marks + 1))))).body).not.toHaveProperty('parameter');
});

test.each([
  [[0x22, 0xff, 0x22]],
  [[0x22, 0xc3, 0x28, 0x22]],
  // Half a character, and then nothing.
  [[0x22, 0xf0, 0x9f]],
])('bytes %o are not UTF-8', async bytes => {
  const body = pieces(...cut(Uint8Array.from(bytes), 1));
  expect(await answerTo(body)).toMatchObject({ status: 400, answer: { error: 'the body must be UTF-8' } });
});

test('a character may come in two pieces', async () => {
  const body = pieces(...cut(new TextEncoder().encode('{"prompt": "🦊"}'), 1));
  expect((await answerTo(body)).status).toBe(200);
});

test.each([1000, 70_000])('a long body arrives whole, in pieces of %i bytes', async length => {
  const { POST, requests } = routeOver([events([COMPLETED])]);
  const image = Array.from({ length: 50_000 }, (_, index) => btoa(String(index).padStart(6, '0'))).join('');
  const body = pieces(...cut(new TextEncoder().encode(JSON.stringify({ ...FOX, image })), length));
  expect((await POST(post(body))).status).toBe(200);
  expect(requests[0]?.body.image).toEqual([`data:image/png;base64,${image}`]);
});

test('a body of which a part was let through is told so', async () => {
  const error = 'the body was cut off on its way here, after 11 bytes';
  expect(await answerTo('{"prompt": ', { 'content-length': '23' })).toMatchObject({ status: 413, answer: { error } });
});

test('a body that breaks off is told to whoever still listens', async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new TypeError('terminated'));
    },
  });
  expect(await answerTo(broken)).toMatchObject({ status: 400, answer: { error: 'the body broke off' } });
});

test.each([
  'text/plain',
  'text/plain; application/json',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  'application/json, text/plain',
  'application/jsonp',
  '',
])('a body under the name %j is not read', async contentType => {
  expect(await answerTo(FOX, { 'content-type': contentType })).toEqual({
    status: 415,
    answer: { error: 'content-type must be application/json' },
    wasAsked: false,
  });
});

test('the name of JSON may be written in any way', async () => {
  expect((await answerTo(FOX, { 'content-type': 'Application/JSON;charset=utf-8' })).status).toBe(200);
});

function cut(bytes: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.slice(index * length, (index + 1) * length),
  );
}
