import { EdgeVM } from '@edge-runtime/vm';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { BASE_URL, MODEL_ID } from './real-server.js';

async function bundle(entry: string): Promise<string> {
  const build = await rolldown({ input: `../dist/${entry}`, platform: 'browser' });
  const { output } = await build.generate({ format: 'iife', name: 'calotype', minify: true });
  return output[0].code;
}

test('the package works where there is no process and no Buffer', async () => {
  const vm = new EdgeVM();
  expect(vm.evaluate('typeof process + typeof Buffer + typeof EdgeRuntime')).toBe('undefinedundefinedstring');
  vm.evaluate(await bundle('index.js'));
  const told = await vm.evaluate<Promise<string>>(`(async () => {
    const { image, streamImage } = calotype.createCalotype({ baseURL: '${BASE_URL}' });
    const { images } = await image('${MODEL_ID}').doGenerate({ prompt: 'a red fox', n: 1, providerOptions: {} });
    const last = [images[0].slice(0, 5)];
    const stream = streamImage({ model: '${MODEL_ID}', prompt: { images: [images[0]], text: 'a blue fox' } });
    for await (const part of calotype.readImageStream(stream.toEventStreamResponse())) last[1] = part.type;
    return last.join();
  })()`);
  expect(told).toBe('iVBOR,finish');
});

test('what a page loads to read a stream is less than a kilobyte', async () => {
  expect((await bundle('read-image-stream.js')).length).toBeLessThan(1000);
});
