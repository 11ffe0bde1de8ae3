/** The header `retry-after`: seconds, or a date. Pure. */

/** Nobody watches a countdown for longer. */
export const RETRY_AFTER_SECONDS_MAX = 600;

/** `undefined` where the header is not there, or says nothing that can be read. */
export function retryAfterSeconds(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? '';
  const seconds = /^[0-9]+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), RETRY_AFTER_SECONDS_MAX);
}
