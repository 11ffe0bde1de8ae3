import type { FetchFunction } from '@ai-sdk/provider-utils';

/** What every request needs. The functions are asked when one is made, and not before. */
export interface CalotypeConfig {
  provider: string;
  baseURL: () => string;
  headers: () => Record<string, string | undefined>;
  fetch?: FetchFunction;
  _internal?: { currentDate?: () => Date };
}
