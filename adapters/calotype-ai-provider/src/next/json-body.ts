import { ImageRouteError } from './image-route-error.js';
import { mediaTypesIn } from './media-types.js';

/** The body's JSON. Throws an ImageRouteError for any other media type, for too many bytes, and for what is no JSON. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  // A form of another site can be sent with the visitor's cookies, but not under this name.
  if (mediaTypesIn(request.headers.get('content-type')).join() !== 'application/json') {
    throw new ImageRouteError(415, 'content-type must be application/json');
  }
  const text = await readText(request, bytesMax);
  if (['[', '{', ','].some(character => occursMoreThan(MARKS_MAX, character, text))) {
    throw new ImageRouteError(400, 'the body holds too many values');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ImageRouteError(400, 'the body must be JSON');
  }
}

/**
 * Bounds the values in a body before they are made: 22 MB of brackets are more than a gigabyte of lists, and seconds in
 * which nobody else is served. Two prompts have at most 64,000 characters.
 */
const MARKS_MAX = 100_000;

function occursMoreThan(times: number, character: string, text: string): boolean {
  let at = -1;
  for (let found = 0; found <= times; found += 1) {
    at = text.indexOf(character, at + 1);
    if (at === -1) {
      return false;
    }
  }
  return true;
}

async function readText({ body, headers }: Request, bytesMax: number): Promise<string> {
  const bytes = await readBytes(body, bytesMax);
  if (Number(headers.get('content-length')) > bytes.length) {
    // Next.js lets 10 MB through, and no more, to what runs at the edge or behind a proxy.ts.
    throw new ImageRouteError(413, `the body was cut off on its way here, after ${bytes.length} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ImageRouteError(400, 'the body must be UTF-8');
  }
}

/** Counts what comes, since what is announced may be anything, and keeps no piece: they may be of one byte each. */
async function readBytes(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array> {
  let bytes = new Uint8Array(FIRST_BYTES);
  let length = 0;
  for await (const chunk of chunks(body)) {
    const start = length;
    length += chunk.byteLength;
    if (length > bytesMax) {
      throw new ImageRouteError(413, `the body must have at most ${bytesMax} bytes`);
    }
    if (length > bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * bytes.length));
      larger.set(bytes);
      bytes = larger;
    }
    bytes.set(chunk, start);
  }
  return bytes.subarray(0, length);
}

const FIRST_BYTES = 64 * 1024;

/** Who leaves the loop stops the sending. */
async function* chunks(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  try {
    for (;;) {
      const result = await reader?.read().catch((cause: unknown) => {
        throw new ImageRouteError(400, 'the body broke off', { cause });
      });
      if (result === undefined || result.done) {
        return;
      }
      yield result.value;
    }
  } finally {
    // Not waited for: at the edge it ends with the sending. It may be broken already, which has been told.
    void reader?.cancel().catch(() => {});
  }
}
