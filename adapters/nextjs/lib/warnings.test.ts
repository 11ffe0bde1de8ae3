import { expect, test } from 'vitest';
import { warningInWords, type Warning } from './warnings';

test.each<[Warning, string]>([
  [
    { type: 'compatibility', feature: 'aspectRatio', details: 'asked for 16:9, painted at 176x96 (11:6)' },
    'The picture has the nearest shape that this model paints: asked for 16:9, painted at 176x96 (11:6).',
  ],
  [
    { type: 'unsupported', feature: 'seed' },
    'This model draws its own seeds, so the same picture cannot be asked for again.',
  ],
  [
    { type: 'compatibility', feature: 'model', details: 'tintype painted this: x is not served here' },
    'tintype painted this: x is not served here.',
  ],
  [{ type: 'other', message: 'prompt: its last 3 tokens' }, 'Part of the prompt was not read: its last 3 tokens.'],
  [{ type: 'other', message: 'negativePrompt: twice as long' }, 'A negative prompt takes time: twice as long.'],
  [
    { type: 'other', message: 'partialImages: asked for 3, 0 came before the picture was done' },
    'It was done too soon for all previews: asked for 3, 0 came before the picture was done.',
  ],
  [
    { type: 'other', message: 'url: the store is full: this answer has none' },
    'url: the store is full: this answer has none.',
  ],
  [{ type: 'other', message: 'constructor: what' }, 'constructor: what.'],
  [{ type: 'other', message: 'Something new.' }, 'Something new.'],
])('%j', (warning, words) => {
  expect(warningInWords(warning)).toBe(words);
});

test('what is not known is still said', () => {
  expect(warningInWords({ type: 'unsupported', feature: 'sparkle', details: 'none here' })).toBe(
    '“sparkle” was not used: none here.',
  );
  expect(warningInWords({ type: 'compatibility', feature: 'constructor' })).toBe(
    '“constructor” was not done exactly as asked.',
  );
});
