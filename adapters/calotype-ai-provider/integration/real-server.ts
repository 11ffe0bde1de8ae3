import type { CalotypeImageModelOptions } from 'calotype-ai-provider';

declare const process: { env: Record<string, string | undefined> };

/** Calotype's own server with tintype; it takes everything. */
export const BASE_URL = setting('CALOTYPE_BASE_URL');
/** Another one with one place and nowhere to wait, and a key. */
export const BUSY_BASE_URL = setting('CALOTYPE_BUSY_BASE_URL');
export const BUSY_API_KEY = setting('CALOTYPE_BUSY_API_KEY');
export const MODEL_ID = 'calotype/tintype';

export const QUICK = { calotype: { numInferenceSteps: 2 } satisfies CalotypeImageModelOptions };
/** Ten of them take longer than any test waits. */
export const LONG = { calotype: { numInferenceSteps: 50 } satisfies CalotypeImageModelOptions };

/** 128x128; transparent on its right half. */
export const MASK =
  'iVBORw0KGgoAAAANSUhEUgAAAIAAAACACAYAAADDPmHLAAAA70lEQVR42u3SAQkAMAzAsO7+Pf82DkscFDrVbbfZHH8iA2AADIABMAAGwAAYAANgAAyAATAABsAAGAADYAAMgAEwAAbAABgAA2AADIABMAAGwAAYAANgAAyAATAABsAAGAADYAAMgAEwAAbAABgAA2AADIABMAAGwAAYAANgAAyAATAABsAAGAADYAAMgAEwAAbAABgAA2AADIABMAAGwAAYAANgAAyAATCAATAABsAAGAADYAAMgAEwAAbAABgAA2AADIABMAAGwAAYAANgAAyAATAABsAAGAADYAAMgAEwAAbAABgAA2AADIAB+MED0g8CADiwkdgAAAAASUVORK5CYII=';

export interface EngineState {
  running: number;
  waiting: number;
  steps_done: number;
}

export async function engine(baseURL = BASE_URL, apiKey = 'unused'): Promise<EngineState> {
  const response = await fetch(`${baseURL}/engine`, { headers: { authorization: `Bearer ${apiKey}` } });
  return (await response.json()) as EngineState;
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/** Of a PNG, from its own header. */
export function sizeOf(png: Uint8Array): string {
  const view = new DataView(png.buffer, png.byteOffset);
  return `${view.getUint32(16)}x${view.getUint32(20)}`;
}

/** A `fetch` that keeps every request's body and every answer's status. */
export function watched() {
  const bodies: Array<Record<string, unknown>> = [];
  const statuses: number[] = [];
  const watching: typeof fetch = async (input, init) => {
    if (typeof init?.body === 'string') {
      bodies.push(JSON.parse(init.body) as Record<string, unknown>);
    }
    const response = await fetch(input, init);
    statuses.push(response.status);
    return response;
  };
  return { fetch: watching, bodies, statuses };
}

export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} must be set: tests/server/test_ai_provider.py does it`);
  }
  return value;
}
