// The README's route handler and its page, in one process: what a browser asks of /api/generate-image is answered by the route.
import { paint } from './page.js';
import { POST } from './route.js';

const outside = globalThis.fetch;
globalThis.fetch = async (input, init) =>
  input === '/api/generate-image' ? POST(new Request('http://app.test/api/generate-image', init)) : outside(input, init);

const shown: string[] = [];
await paint('a red fox', url => shown.push(url.slice(0, 15)));
if (shown.at(-1) !== 'data:image/png;' || !shown.includes('data:image/jpeg')) {
  throw new Error(`a preview and a picture should be shown, and there were ${shown}`);
}
console.log(shown);
