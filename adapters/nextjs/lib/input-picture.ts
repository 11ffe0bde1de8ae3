/** Pictures that somebody gives: read, measured, and made a kind of file that every server takes. */
import { limits } from './limits';
import type { Size } from './shapes';

export interface InputPicture {
  id: string;
  name: string;
  blob: Blob;
  size: Size;
}

export const TAKEN_TYPES = ['image/png', 'image/jpeg', 'image/webp'];

/** Rejects with words for the person who gave it. */
export async function readPicture(file: Blob, name: string): Promise<InputPicture> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${name} is not a picture that this browser can read.`);
  });
  const size = { width: bitmap.width, height: bitmap.height };
  const blob = TAKEN_TYPES.includes(file.type) ? file : await toPng(bitmap);
  bitmap.close();
  return { id: `${name}-${(count += 1)}`, name, blob, size };
}

/** What is wrong with these together; `undefined` where nothing is. */
export function tooLarge(pictures: InputPicture[]): string | undefined {
  const bytes = pictures.reduce((sum, { blob }) => sum + blob.size, 0);
  return bytes <= limits.uploadBytesMax
    ? undefined
    : `Pictures may have ${inMebibytes(limits.uploadBytesMax)} together; these have ${inMebibytes(bytes)}.`;
}

export function toDataUri(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new Error('A picture given can no longer be read: add it again.'));
    reader.readAsDataURL(blob);
  });
}

let count = 0;

function inMebibytes(bytes: number): string {
  return `${(Math.ceil((bytes / 1024 / 1024) * 10) / 10).toLocaleString('en')} MiB`;
}

async function toPng(bitmap: ImageBitmap): Promise<Blob> {
  const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
  const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'));
  if (blob === null) {
    throw new Error('This picture is too large for this browser.');
  }
  return blob;
}
