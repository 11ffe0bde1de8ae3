import { expect, test } from 'vitest';
import { RETRY_AFTER_SECONDS_MAX, retryAfterSeconds } from './retry-after';

const now = Date.parse('2026-11-22T10:00:00Z');

test.each([
  ['0', 0],
  ['12', 12],
  [String(RETRY_AFTER_SECONDS_MAX), RETRY_AFTER_SECONDS_MAX],
  [String(RETRY_AFTER_SECONDS_MAX + 1), RETRY_AFTER_SECONDS_MAX],
  ['Sun, 22 Nov 2026 10:00:05 GMT', 5],
  ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
  ['soon', undefined],
  ['', undefined],
  [null, undefined],
])('%j', (header, seconds) => {
  expect(retryAfterSeconds(header, now)).toBe(seconds);
});
