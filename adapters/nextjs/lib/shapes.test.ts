import { expect, test } from 'vitest';
import { ANY_SIZE, newCard, SMALL_SIZES } from './fake-card';
import { expectedSize, ratioName, shapesOf } from './shapes';

const labels = (...card: Parameters<typeof newCard>) => shapesOf(newCard(...card)).map(({ label }) => label);

test('a list of sizes is offered by the common names of its shapes, and asked for to the pixel', () => {
  const shapes = shapesOf(newCard({ sizes: [...SMALL_SIZES], defaultSize: '128x128' }));
  expect(shapes.map(({ label }) => label)).toEqual([
    'Auto',
    '1:1',
    '4:3',
    '3:4',
    '5:3',
    '3:5',
    '16:9',
    '9:16',
    '21:9',
    '9:21',
  ]);
  expect(shapes[2]?.request).toEqual({ size: '144x112' });
});

test('sizes of one shape are told apart by their pixels', () => {
  expect(labels({ sizes: ['512x512', '1024x1024', '1024x512'] })).toEqual([
    'Auto',
    '1:1, 512 × 512',
    '1:1, 1024 × 1024',
    '2:1',
  ]);
});

test('of any size, the shapes up to the most oblong one are offered', () => {
  expect(labels({ sizeRange: ANY_SIZE, aspectRatioMax: 16 / 9 })).toContain('16:9');
  expect(labels({ sizeRange: ANY_SIZE, aspectRatioMax: 1.77 })).toEqual(['Auto', '1:1', '4:3', '3:4', '3:2', '2:3']);
});

test('a model of one size has nothing to choose', () => {
  expect(labels()).toEqual(['Auto']);
});

test('a shape has a common name within five percent, and is in lowest terms beyond', () => {
  expect(ratioName({ width: 1792, height: 1024 })).toBe('16:9');
  expect(ratioName({ width: 105, height: 100 })).toBe('1:1');
  expect(ratioName({ width: 106, height: 100 })).toBe('53:50');
});

test('"Auto" follows the picture given, with the pixels of the model; another shape does not', () => {
  const [automatic, square] = shapesOf(newCard({ sizeRange: ANY_SIZE }));
  expect(expectedSize(automatic, { width: 4000, height: 1000 })).toEqual({ width: 2048, height: 512 });
  expect(square && expectedSize(square, { width: 4000, height: 1000 })).toMatchObject({ width: 1024, height: 1024 });
});
