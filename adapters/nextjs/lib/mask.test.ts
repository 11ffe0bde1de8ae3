import { expect, test } from 'vitest';
import { MASK_SIDE, maskSize, moved } from './mask';

test.each([
  [
    { width: 128, height: 128 },
    { width: 1024, height: 1024 },
  ],
  [
    { width: 144, height: 112 },
    { width: 1008, height: 784 },
  ],
  [
    { width: MASK_SIDE, height: 1 },
    { width: MASK_SIDE, height: 1 },
  ],
  [
    { width: 4032, height: 3024 },
    { width: 1024, height: 768 },
  ],
])('the mask of %j has its shape', (picture, mask) => {
  expect(maskSize(picture)).toEqual(mask);
});

test('the brush stays within the mask', () => {
  const size = { width: 10, height: 20 };
  expect(moved({ x: 5, y: 5 }, { x: -9, y: 1 }, size)).toEqual({ x: 0, y: 6 });
  expect(moved({ x: 5, y: 5 }, { x: 99, y: 99 }, size)).toEqual({ x: 10, y: 20 });
});
