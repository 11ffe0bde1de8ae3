import { APICallError } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { retryDelayMilliseconds } from './retry-delay.js';

test.each([
  [{}, 2000],
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after': '90' }, 2000],
  [{ 'retry-after': 'soon' }, 2000],
])('%o is a wait of %i ms', (responseHeaders, milliseconds) => {
  const error = new APICallError({ message: '', url: '', requestBodyValues: {}, responseHeaders });
  expect(retryDelayMilliseconds({ error, exponentialBackoffDelay: 2000 })).toBe(milliseconds);
});
