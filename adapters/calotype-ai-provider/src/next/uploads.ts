import { ImageRouteError } from './image-route-error.js';
import type { CheckedLimits } from './image-route-options.js';

/** The server's bound on one request. */
export const INPUT_IMAGES_MAX = 16;

/** Throws an ImageRouteError for what is neither base64 nor a data URI with base64, and for too many bytes. */
export function checkUploads({ images, mask }: { images: string[]; mask?: string }, bytesMax: number): void {
  let bytes = 0;
  const count = (text: string, parameter: string) => {
    bytes += fileBytes(text, parameter);
    if (bytes > bytesMax) {
      throw new ImageRouteError(413, `image and mask must have at most ${bytesMax} bytes together`, { parameter });
    }
  };
  images.forEach(image => count(image, 'image'));
  if (mask !== undefined) {
    count(mask, 'mask');
  }
}

/** Of the file, by the length of its text: nothing is decoded. */
function fileBytes(text: string, parameter: string): number {
  if (/^https?:/i.test(text)) {
    throw new ImageRouteError(400, `${parameter} must be the picture itself: no URL is fetched`, { parameter });
  }
  const start = DATA_URI_HEAD.exec(text)?.[0].length ?? 0;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const length = text.length - start;
  if (length === 0 || length % 4 !== 0 || NOT_BASE64.test(text.slice(start, text.length - padding))) {
    throw new ImageRouteError(400, `${parameter} must be base64, or a data URI of a picture in base64`, { parameter });
  }
  return (length / 4) * 3 - padding;
}

const DATA_URI_HEAD = /^data:image\/[a-z0-9.+-]{1,64};base64,/i;
const NOT_BASE64 = /[^A-Za-z0-9+/]/;

/** Of a JSON body that holds all that may be uploaded, and texts of so many characters. */
export function bodyBytesMax({ promptLengthMax, uploadBytesMax }: Omit<CheckedLimits, 'imagesMax'>): number {
  const pictures = Math.ceil(uploadBytesMax / 3) * 4 + (INPUT_IMAGES_MAX + 1) * BYTES_AROUND_A_PICTURE_MAX;
  const texts = 2 * promptLengthMax * BYTES_PER_CHARACTER_MAX;
  return pictures + texts + OTHER_BYTES_MAX;
}

/** Its padding, quotes, and the head of a data URI. */
const BYTES_AROUND_A_PICTURE_MAX = 128;
/** `\ud83e\udd8a` is one. */
const BYTES_PER_CHARACTER_MAX = 12;
const OTHER_BYTES_MAX = 8 * 1024;
