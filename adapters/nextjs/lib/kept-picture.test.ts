import { expect, test } from 'vitest';
import { fileNameOf, toKeptPicture, wishesOf, type ImagePart, type Job } from './kept-picture';
import { NO_WISHES } from './wishes';

const job = (prompt: string): Job => ({
  request: { model: 'm', prompt, n: 2, previews: 3 },
  wishes: { ...NO_WISHES, model: 'm', prompt, count: 2, steps: 10 },
  shape: { width: 1, height: 1 },
});
const part = (metadata: ImagePart['metadata'], mediaType = 'image/png'): ImagePart => ({
  type: 'image',
  imageIndex: 1,
  image: { base64: 'AQID', mediaType },
  metadata,
});

test('keeps the bytes, and what the server tells of the picture', async () => {
  const picture = toKeptPicture(job('a fox'), part({ seed: 8, size: '176x96', modelId: 'org/m', milliseconds: 12 }));
  expect(picture).toMatchObject({
    seed: 8,
    size: { width: 176, height: 96 },
    model: 'org/m',
    prompt: 'a fox',
    fromPictures: false,
  });
  expect(new Uint8Array(await picture.blob.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]));
});

test('the same again is one picture, of its own seed and with the same settings', () => {
  expect(wishesOf(toKeptPicture(job('a fox'), part({ seed: 8 })))).toMatchObject({
    seed: '8',
    count: 1,
    steps: 10,
    prompt: 'a fox',
  });
});

test('pictures of one request stay in order', () => {
  const [one, other] = [toKeptPicture(job('a'), part({})), toKeptPicture(job('a'), part({}))];
  expect(one?.id).not.toBe(other?.id);
  expect(one && other && one.paintedAt <= other.paintedAt).toBe(true);
});

test.each([
  ['A red fox, please!', 7, 'image/png', 'a-red-fox-please-7.png'],
  ['../../etc/passwd', 1, 'image/jpeg', 'etc-passwd-1.jpg'],
  ['ein Fuchs im Grünen', undefined, 'image/webp', 'ein-fuchs-im-grünen.webp'],
  ['', 3, 'image/png', 'picture-3.png'],
  ['x'.repeat(200), 3, 'image/png', `${'x'.repeat(60)}-3.png`],
])('the file of %j', (prompt, seed, mediaType, name) => {
  expect(fileNameOf(toKeptPicture(job(prompt), part({ seed }, mediaType)))).toBe(name);
});
