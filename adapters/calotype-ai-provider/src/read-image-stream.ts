import type { CalotypeImageStreamPart } from './calotype-image-stream.js';

/**
 * The parts of an answer that `toEventStream` made, for a browser. It needs nothing else of this package:
 * `import { readImageStream } from 'calotype-ai-provider/browser'`. Throws what the server says went wrong.
 */
export async function* readImageStream(response: Response): AsyncGenerator<CalotypeImageStreamPart, void, undefined> {
  if (!response.ok || response.body === null) {
    throw new Error(`the stream of pictures was answered ${response.status}: ${await response.text()}`);
  }
  for await (const data of readEvents(response.body)) {
    const part = JSON.parse(data) as CalotypeImageStreamPart | { type: 'error'; message: string };
    if (part.type === 'error') {
      throw new Error(part.message);
    }
    yield part;
    if (part.type === 'finish') {
      return;
    }
  }
  throw new Error('the stream of pictures broke off');
}

/** The data of each event; comments are passed over. Who leaves the loop cancels the stream. */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      // What was there before holds no end of an event, unless its last character is half of one.
      let from = Math.max(0, text.length - 1);
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf('\n\n', from); end !== -1; end = text.indexOf('\n\n', from)) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        from = 0;
        if (event.startsWith('data: ')) {
          yield event.slice('data: '.length);
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
