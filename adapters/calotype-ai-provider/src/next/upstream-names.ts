import { camelCase } from '../calotype-warning.js';

/** What the body calls a field of the server's. */
export function bodyName(field: string): string {
  return BODY_NAMES.get(field) ?? camelCase(field);
}

/** A message of the server's, with the fields in the body's words. */
export function inBodyNames(message: string): string {
  return message.replace(/\b[a-z]+(_[a-z]+)+\b/g, word => (FIELDS.has(word) ? bodyName(word) : word));
}

const BODY_NAMES: ReadonlyMap<string, string> = new Map([
  ['guidance_scale', 'guidance'],
  ['images', 'image'],
  ['input_images', 'image'],
  ['partial_images', 'previews'],
]);

/** Those that the server's messages name, and that are spelt otherwise here. */
const FIELDS: ReadonlySet<string> = new Set([
  'aspect_ratio',
  'guidance_scale',
  'input_images',
  'negative_prompt',
  'num_inference_steps',
  'partial_images',
]);
