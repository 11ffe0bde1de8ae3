import { expect, test } from 'vitest';
import { controlsOf, paintable } from './controls';
import { newCard, newModel } from './fake-card';

test('the form has what the card has', () => {
  const range = { min: 1, max: 50, default: 20 };
  const controls = controlsOf(
    newCard({ numInferenceSteps: range, strength: { min: 0, max: 1, default: 0.75 }, imagesMax: 1, mask: true }),
  );
  expect(controls).toMatchObject({
    steps: { ...range, step: 1 },
    guidance: undefined,
    negativePrompt: false,
    picturesMax: 1,
    mask: true,
  });
  expect(controls.strength?.default).toBe(0.75);
});

test('without pictures there is neither strength nor mask', () => {
  const controls = controlsOf(newCard({ strength: { min: 0, max: 1, default: 0.75 }, mask: true }));
  expect(controls).toMatchObject({ strength: undefined, mask: false });
});

test('a range of one value is no control', () => {
  expect(controlsOf(newCard({ guidance: { min: 1, max: 1, default: 1 } })).guidance).toBeUndefined();
});

test('models that need what this page has no field for are not offered', () => {
  const models = [
    newModel('a'),
    newModel('edges', { requires: ['control_image'] }),
    newModel('edit', { requires: ['images', 'mask'] }),
  ];
  expect(paintable(models).map(({ id }) => id)).toEqual(['a', 'edit']);
});
