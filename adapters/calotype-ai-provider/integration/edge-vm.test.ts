import { EdgeVM } from '@edge-runtime/vm';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { BASE_URL, MODEL_ID } from './real-server.js';

async function bundle(entry: string, name = 'calotype'): Promise<string> {
  const build = await rolldown({ input: `../dist/${entry}`, platform: 'browser' });
  const { output } = await build.generate({ format: 'iife', name, minify: true });
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

test('so does the route', async () => {
  const vm = new EdgeVM();
  vm.evaluate(await bundle('index.js'));
  vm.evaluate(await bundle('next/index.js', 'next'));
  const told = await vm.evaluate<Promise<unknown[]>>(`(async () => {
    const { GET, POST } = next.createImageRoute({ calotype: calotype.createCalotype({ baseURL: '${BASE_URL}' }) });
    const post = (body, accept) => POST(new Request('http://app.test/', {
      method: 'POST', headers: { 'content-type': 'application/json', accept }, body: JSON.stringify(body),
    }));
    const { image, seed } = await (await post({ prompt: 'a red fox', seed: 7 }, '*/*')).json();
    const kinds = new Set();
    const events = await post({ prompt: '', image }, 'text/event-stream');
    for await (const part of calotype.readImageStream(events)) kinds.add(part.type);
    const { models } = await (await GET(new Request('http://app.test/'))).json();
    const { status } = await post({ prompt: 'a red fox', seed: -1 }, '*/*');
    return [seed, [...kinds].sort().join(), models.some(model => model.id === '${MODEL_ID}'), status];
  })()`);
  expect([...told]).toEqual([7, expect.stringMatching(/^finish,image,preview,progress/), true, 400]);
});

test('what a page loads to read a stream is less than a kilobyte', async () => {
  expect((await bundle('read-image-stream.js')).length).toBeLessThan(1000);
});
