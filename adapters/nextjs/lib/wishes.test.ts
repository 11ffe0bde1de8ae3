import { expect, test } from 'vitest';
import { controlsOf } from './controls';
import { newCard, SMALL_SIZES } from './fake-card';
import { limits, SEED_MAX } from './limits';
import { NO_WISHES, problemWith, toRequest, wishesFor, type Wishes } from './wishes';

const NOTHING = { pictures: 0, mask: false };
const PICTURE = 'data:image/png;base64,AA==';
const plain = controlsOf(newCard());
const rich = controlsOf(
  newCard({
    sizes: [...SMALL_SIZES],
    numInferenceSteps: { min: 1, max: 50, default: 20 },
    guidance: { min: 1, max: 10, default: 3 },
    strength: { min: 0, max: 1, default: 0.75 },
    negativePrompt: true,
    imagesMax: 1,
    mask: true,
  }),
);
const wishes = (some: Partial<Wishes>): Wishes => ({ ...NO_WISHES, model: 'm', prompt: 'a fox', ...some });
const parameterOf = (some: Partial<Wishes>, given = NOTHING) => problemWith(wishes(some), rich, given)?.parameter;

test('a prompt is asked for, unless there is a picture', () => {
  expect(parameterOf({ prompt: ' ' })).toBe('prompt');
  expect(parameterOf({ prompt: ' ' }, { pictures: 1, mask: false })).toBeUndefined();
});

test('prompts may have as many characters as the route takes, and none more', () => {
  expect(parameterOf({ prompt: 'x'.repeat(limits.promptLengthMax) })).toBeUndefined();
  expect(parameterOf({ prompt: 'x'.repeat(limits.promptLengthMax + 1) })).toBe('prompt');
  expect(parameterOf({ negativePrompt: 'x'.repeat(limits.promptLengthMax + 1) })).toBe('negativePrompt');
});

test.each(['', '0', '7', ' 7 ', String(SEED_MAX)])('%j is a seed', seed => {
  expect(parameterOf({ seed })).toBeUndefined();
});

test.each(['-1', '1.5', '1e3', 'seven', '٣', String(SEED_MAX + 1), '99999999999999999'])('%j is no seed', seed => {
  expect(parameterOf({ seed })).toBe('seed');
});

test('the seed of the last picture must be one too', () => {
  expect(parameterOf({ seed: String(SEED_MAX - 3), count: 4 })).toBeUndefined();
  expect(parameterOf({ seed: String(SEED_MAX - 2), count: 4 })).toBe('seed');
});

test('what a model does not paint without is asked for', () => {
  const needy = controlsOf(newCard({ imagesMax: 1, mask: true, requires: ['images', 'mask'] }));
  expect(problemWith(wishes({}), needy, NOTHING)?.parameter).toBe('image');
  expect(problemWith(wishes({}), needy, { pictures: 1, mask: false })?.parameter).toBe('mask');
  expect(problemWith(wishes({}), needy, { pictures: 1, mask: true })).toBeUndefined();
});

test('what is not chosen is not sent', () => {
  expect(toRequest(wishes({}), rich, { images: [] })).toEqual({ model: 'm', prompt: 'a fox', n: 1, previews: 3 });
});

test('what is chosen is sent', () => {
  const chosen = { shape: '4:3', seed: '0', count: 2, steps: 10, guidance: 1, strength: 0, negativePrompt: 'a dog' };
  expect(toRequest(wishes(chosen), rich, { images: [PICTURE], mask: PICTURE })).toEqual({
    model: 'm',
    prompt: 'a fox',
    n: 2,
    previews: 3,
    size: '144x112',
    seed: 0,
    numInferenceSteps: 10,
    guidance: 1,
    strength: 0,
    negativePrompt: 'a dog',
    image: [PICTURE],
    mask: PICTURE,
  });
});

test('what the model does not have is not sent', () => {
  const chosen = { seed: '1', steps: 10, guidance: 2, strength: 0.5, negativePrompt: 'a dog' };
  expect(toRequest(wishes(chosen), plain, { images: [] })).toEqual({
    model: 'm',
    prompt: 'a fox',
    n: 1,
    previews: 3,
    seed: 1,
  });
});

test('another model has its own numbers, and a shape only if it has that one', () => {
  const before = wishes({ shape: '21:9', seed: '7', steps: 50, guidance: 9, strength: 0.2 });
  expect(wishesFor(before, 'n', plain)).toEqual({
    ...NO_WISHES,
    model: 'n',
    prompt: 'a fox',
    seed: '7',
    shape: 'Auto',
  });
  expect(wishesFor(before, 'n', rich).shape).toBe('21:9');
});
