import { APICallError } from '@ai-sdk/provider';

const SECONDS_MAX = 60;

/** What the server asks for, if it is within a minute: the AI SDK's own rule, which it does not export. */
export function retryDelayMilliseconds({
  error,
  exponentialBackoffDelay,
}: {
  error: unknown;
  exponentialBackoffDelay: number;
}): number {
  const headers = APICallError.isInstance(error) ? (error.responseHeaders ?? {}) : {};
  const asked = Number(headers['retry-after-ms'] ?? Number(headers['retry-after']) * 1000);
  return asked >= 0 && asked < SECONDS_MAX * 1000 ? asked : exponentialBackoffDelay;
}
