import { expect, test } from 'vitest';
import { RequestFailed, toFailure } from './ask';

test("a failure is told in the server's own words, and any other in words for people", () => {
  const failure = { message: 'seed must be less', parameter: 'seed', retryAfterSeconds: 3 };
  expect(toFailure(new RequestFailed(failure))).toBe(failure);
  expect(toFailure(new Error('the worker ended'))).toEqual({ message: 'the worker ended' });
  expect(toFailure(new TypeError('Failed to fetch')).message).toMatch(/^The connection is gone/);
  expect(toFailure(new SyntaxError('Unexpected token')).message).toBe('The answer of the server cannot be read.');
  expect(toFailure('what').message).toMatch(/^The connection is gone/);
});
