import { z } from 'zod/v4';
import { imageModelOptionsSchema } from '../calotype-image-model-options.js';
import { PREVIEWS_MAX } from '../calotype-image-settings.js';
import type { CalotypeStreamImageOptions } from '../calotype-stream-image.js';
import { ImageRouteError } from './image-route-error.js';
import type { CheckedLimits } from './image-route-options.js';
import { checkUploads, INPUT_IMAGES_MAX } from './uploads.js';

const MODEL_ID_CHARACTERS_MAX = 200;
const SIDE_PIXELS_MAX = 16_384;
const RATIO_TERM_MAX = 10_000;

/** What was sent is repeated up to here. */
const SHOWN_CHARACTERS_MAX = 40;
const UNKNOWN_FIELDS_NAMED_MAX = 8;

/** The body of `POST`; `null` is "not given". */
export type ImageRouteRequest = z.input<typeof requestSchema>;

/** What the body asks for, as `streamImage` takes it. */
export type ImageCall = Omit<CalotypeStreamImageOptions, 'maxRetries' | 'abortSignal' | 'headers'>;

/** Throws an ImageRouteError that names the field. */
export function readImageCall(body: unknown, limits: CheckedLimits): ImageCall {
  const parsed = requestSchema.safeParse(body);
  if (!parsed.success) {
    throw refused(body, parsed.error.issues[0]!);
  }
  checkLimits(parsed.data, limits);
  return toImageCall(parsed.data);
}

function checkLimits(request: CheckedRequest, { promptLengthMax, imagesMax, uploadBytesMax }: CheckedLimits): void {
  const images = imagesOf(request);
  if (request.prompt.trim() === '' && images.length === 0) {
    throw new ImageRouteError(400, 'prompt must not be empty', { parameter: 'prompt' });
  }
  for (const parameter of ['prompt', 'negativePrompt'] as const) {
    checkText(request[parameter] ?? '', parameter, promptLengthMax);
  }
  if (request.n !== undefined && request.n > imagesMax) {
    throw new ImageRouteError(400, `n must be from 1 to ${imagesMax}, got ${request.n}`, { parameter: 'n' });
  }
  checkUploads({ images, mask: request.mask }, uploadBytesMax);
}

function checkText(text: string, parameter: string, charactersMax: number): void {
  if (!hasAtMost(text, charactersMax)) {
    throw new ImageRouteError(400, `${parameter} must have at most ${charactersMax} characters`, { parameter });
  }
  if (/\p{Surrogate}/u.test(text)) {
    throw new ImageRouteError(400, `${parameter} holds half a character`, { parameter });
  }
}

function toImageCall(request: CheckedRequest): ImageCall {
  const { model, n, size, aspectRatio, seed, previews } = request;
  const { numInferenceSteps, guidance, negativePrompt, strength } = request;
  return {
    model,
    prompt: { text: request.prompt, images: imagesOf(request), mask: request.mask },
    n,
    size,
    aspectRatio,
    seed,
    previews,
    providerOptions: { calotype: { numInferenceSteps, guidance, negativePrompt, strength } },
  };
}

function imagesOf({ image }: CheckedRequest): string[] {
  return image === undefined || Array.isArray(image) ? (image ?? []) : [image];
}

/** As the server counts: a character is one, however JavaScript stores it. */
function hasAtMost(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax || (text.length <= 2 * charactersMax && [...text].length <= charactersMax);
}

function refused(body: unknown, issue: z.core.$ZodIssue): ImageRouteError {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    const names = issue.keys.slice(0, UNKNOWN_FIELDS_NAMED_MAX).map(key => key.slice(0, SHOWN_CHARACTERS_MAX));
    return new ImageRouteError(400, `there is no field ${names.map(shown).join(', ')}`, { parameter: names[0] });
  }
  const parameter = issue.path[0] as keyof ImageRouteRequest | undefined;
  if (parameter === undefined) {
    return new ImageRouteError(400, 'the body must be a JSON object');
  }
  const value = (body as Record<string, unknown>)[parameter];
  const message =
    value === undefined
      ? `${parameter} is required`
      : `${parameter} must be ${requestSchema.shape[parameter].description}, got ${shown(value)}`;
  return new ImageRouteError(400, message, { parameter });
}

function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > SHOWN_CHARACTERS_MAX ? `a text of ${value.length} characters` : JSON.stringify(value);
  }
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
  }
  return String(value);
}

type CheckedRequest = z.output<typeof requestSchema>;

const { numInferenceSteps, guidance, strength } = imageModelOptionsSchema.shape;
const picture = z.string();

/** Every field's description follows "must be". */
const requestSchema = z.strictObject({
  /** May be empty beside a picture. */
  prompt: z.string().describe('a text'),
  /** An id, in any case. */
  model: optional(z.string().min(1).max(MODEL_ID_CHARACTERS_MAX), 'the id of a model'),
  size: optional(
    z.custom<`${number}x${number}`>(value => isPair(value, 'x', SIDE_PIXELS_MAX)),
    `like "1024x768", with sides from 1 to ${SIDE_PIXELS_MAX}`,
  ),
  aspectRatio: optional(
    z.custom<`${number}:${number}`>(value => isPair(value, ':', RATIO_TERM_MAX)),
    `like "16:9", with terms from 1 to ${RATIO_TERM_MAX}`,
  ),
  /** Picture k has the seed `seed + k`. */
  seed: optional(z.int().min(0), `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`),
  /** Pictures. */
  n: optional(z.int().min(1), 'a whole number from 1 up'),
  /** What the model starts from, or what the prompt speaks of: base64 or data URIs. */
  image: optional(
    z.union([picture, z.array(picture).max(INPUT_IMAGES_MAX)]),
    `base64, a data URI, or a list of at most ${INPUT_IMAGES_MAX} of them`,
  ),
  /** Transparent where something new is painted: base64 or a data URI. */
  mask: optional(picture, 'base64 or a data URI'),
  numInferenceSteps: optional(numInferenceSteps, 'a whole number from 1 up'),
  guidance: optional(guidance, 'a number from 0 up'),
  negativePrompt: optional(z.string(), 'a text'),
  /** How far the picture given may be left. */
  strength: optional(strength, 'a number from 0 to 1'),
  /** Of each picture on its way, in a stream. Default: 2. */
  previews: optional(z.int().min(0).max(PREVIEWS_MAX), `a whole number from 0 to ${PREVIEWS_MAX}`),
});

function optional<T extends z.ZodType>(type: T, wanted: string) {
  return type
    .nullish()
    .transform(value => value ?? undefined)
    .describe(wanted);
}

function isPair(value: unknown, separator: 'x' | ':', max: number): boolean {
  const pair = typeof value === 'string' ? /^([1-9]\d{0,4})([x:])([1-9]\d{0,4})$/.exec(value) : null;
  return pair !== null && pair[2] === separator && Number(pair[1]) <= max && Number(pair[3]) <= max;
}
