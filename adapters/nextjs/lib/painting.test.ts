import { expect, test } from 'vitest';
import { toKeptPicture, type Job } from './kept-picture';
import {
  finishedPictures,
  NO_PAINTING,
  paintingAfter,
  progressOf,
  type Painting,
  type PaintingEvent,
} from './painting';
import { announcementFor, progressInWords } from './painting-in-words';
import { NO_WISHES } from './wishes';

const job = (n: number): Job => ({
  request: { model: 'm', prompt: 'a fox', n, previews: 3 },
  wishes: NO_WISHES,
  shape: { width: 128, height: 128 },
});
const after = (...events: PaintingEvent[]) => events.reduce(paintingAfter, NO_PAINTING);
const start = (n = 1): PaintingEvent => ({ type: 'start', job: job(n) });
const step = (step: number, steps = 20, imageIndex = 0): PaintingEvent => ({
  type: 'part',
  part: { type: 'progress', imageIndex, step, steps },
});
const queued = (position: number, seconds?: number): PaintingEvent => ({
  type: 'part',
  part: { type: 'queued', position, seconds },
});
const picture = (imageIndex = 0): PaintingEvent => ({
  type: 'picture',
  imageIndex,
  picture: toKeptPicture(job(1), {
    type: 'image',
    imageIndex,
    image: { base64: 'AA==', mediaType: 'image/png' },
    metadata: { seed: imageIndex },
  }),
});
const finish: PaintingEvent = { type: 'part', part: { type: 'finish', warnings: [], providerMetadata: {} } };

test('progress is unknown until the first step, and whole with the last picture', () => {
  expect(progressOf(after(start(2)))).toBeUndefined();
  expect(progressOf(after(start(2), step(5)))).toBe(0.125);
  expect(progressOf(after(start(2), picture(0), picture(1)))).toBe(1);
});

test('a preview is kept until its picture comes', () => {
  const preview: PaintingEvent = {
    type: 'part',
    part: { type: 'preview', imageIndex: 0, previewIndex: 0, image: { base64: 'AA==', mediaType: 'image/png' } },
  };
  expect(after(start(), preview).frames[0]?.preview?.base64).toBe('AA==');
});

test('pictures that are finished stay when the rest fails or is cancelled', () => {
  expect(finishedPictures(after(start(2), picture(0), { type: 'cancelled' }))).toHaveLength(1);
  const failed = after(start(2), picture(0), { type: 'failed', failure: { message: 'the device is gone' } });
  expect(failed).toMatchObject({ state: 'failed', failure: { message: 'the device is gone' } });
  expect(finishedPictures(failed)).toHaveLength(1);
});

test('a picture that was not asked for is passed over', () => {
  expect(after(start(1), picture(1)).frames).toHaveLength(1);
});

test('a new painting has nothing of the one before', () => {
  const again = after(start(), { type: 'failed', failure: { message: 'no' } }, start());
  expect(again).toMatchObject({ state: 'painting', warnings: [] });
  expect(again.failure).toBeUndefined();
});

test.each<[Painting, string]>([
  [after(start()), 'Starting…'],
  [after(start(), queued(2, 7.6)), 'Waiting, 2 before this one, about 8 seconds.'],
  [after(start(), queued(0, 0.2)), 'Next in line, about 1 second.'],
  [after(start(), queued(1)), 'Waiting, 1 before this one.'],
  [after(start(), queued(1), step(8)), 'Step 8 of 20'],
  [after(start(4), step(20), picture(0), step(4, 20, 1)), 'Step 24 of 80, 1 of 4 pictures done'],
])('in words: %#', (painting, words) => {
  expect(progressInWords(painting)).toBe(words);
});

test('the start, each quarter once, and the end are announced, and nothing else', () => {
  const events = [
    start(),
    queued(3, 4),
    queued(2, 3),
    ...Array.from({ length: 20 }, (_, index) => step(index + 1)),
    picture(),
    finish,
  ];
  const said: string[] = [];
  events.reduce((before, event) => {
    const now = paintingAfter(before, event);
    said.push(announcementFor(before, now) ?? '');
    return now;
  }, NO_PAINTING);
  expect(said.filter(text => text !== '')).toEqual([
    'Painting has begun.',
    'Waiting, 3 before this one, about 4 seconds.',
    '25 percent.',
    '50 percent.',
    '75 percent.',
    'Done: 1 picture.',
  ]);
});

test('a failure is left to its alert', () => {
  expect(
    announcementFor(after(start()), after(start(), { type: 'failed', failure: { message: 'no' } })),
  ).toBeUndefined();
});
