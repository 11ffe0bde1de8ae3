import { expect, test } from 'vitest';
import { tooLarge, type InputPicture } from './input-picture';
import { limits } from './limits';

const picture = (bytes: number): InputPicture => ({
  id: 'a',
  name: 'a',
  blob: new Blob([new Uint8Array(bytes)]),
  size: { width: 1, height: 1 },
});

test('pictures may have as many bytes together as the route takes', () => {
  expect(tooLarge([picture(limits.uploadBytesMax - 1), picture(1)])).toBeUndefined();
  expect(tooLarge([picture(limits.uploadBytesMax), picture(1)])).toBe(
    'Pictures may have 16 MiB together; these have 16.1 MiB.',
  );
});
