import {
  CalotypeImageStream,
  KEEP_ALIVE_MILLISECONDS,
  type CalotypeImageStreamPart,
} from '../calotype-image-stream.js';

/**
 * The stream, begun: what fails before its first part is thrown here, while the answer can still have a status of its
 * own. After a while without any part the answer has to begin, and what fails then is told in it.
 */
export async function begun(stream: CalotypeImageStream): Promise<CalotypeImageStream> {
  const parts = stream[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<CalotypeImageStreamPart>> | undefined = parts.next();
  await atMost(KEEP_ALIVE_MILLISECONDS, first);
  return new CalotypeImageStream(() => ({
    next: () => {
      const next = first ?? parts.next();
      first = undefined;
      return next;
    },
    return: () => parts.return!(),
  }));
}

async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>(resolve => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, waited]).finally(() => clearTimeout(timer));
}
