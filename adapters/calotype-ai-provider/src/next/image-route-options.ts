import { APICallError, InvalidArgumentError } from '@ai-sdk/provider';
import { z } from 'zod/v4';
import { IMAGES_PER_CALL_MAX, PROMPT_CHARACTERS_MAX } from '../calotype-image-settings.js';
import { calotype, type CalotypeProvider } from '../calotype-provider.js';

export interface ImageRouteOptions {
  /** The picture server. Default: the one that the environment names. */
  calotype?: PictureServer;

  /**
   * Ids that may be asked for; the first is painted with when the body names none. Default: every model of the server,
   * and the server's own default.
   */
  models?: readonly string[];

  limits?: ImageRouteLimits;

  /**
   * Who may paint: `true` lets the request in, `false` answers it 401, a `Response` is sent as it is. Asked before the
   * body is read, which is left to the route. Default: everybody may.
   */
  authorize?: (request: Request) => boolean | Response | Promise<boolean | Response>;

  /** Told of what is answered with 500 or above, and why. Default: a line of `console.error`, without the request. */
  reportError?: (error: unknown) => void;
}

export interface ImageRouteLimits {
  /** Characters of the prompt, and of the negative one. Default: 4,000. At most 32,000. */
  promptLengthMax?: number;
  /** Pictures of one request. Default: 4. At most 10. */
  imagesMax?: number;
  /** Of the files in `image` and `mask` together. Default: 16 MiB. The server's own bounds hold besides. */
  uploadBytesMax?: number;
}

export type PictureServer = Pick<CalotypeProvider, 'models' | 'streamImage'>;

export interface CheckedOptions extends ImageRouteOptions {
  calotype: PictureServer;
  limits: CheckedLimits;
  reportError: (error: unknown) => void;
}

export type CheckedLimits = Required<ImageRouteLimits>;

/** Nothing that is not here gets through: a misspelt `authorize` would let everybody in. */
export function checkedOptions(options: ImageRouteOptions): CheckedOptions {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidArgumentError({
      argument: 'options',
      message: `createImageRoute: ${z.prettifyError(parsed.error)}`,
      cause: parsed.error,
    });
  }
  const { calotype: server = calotype, limits = limitsSchema.parse({}), reportError = logError, ...rest } = parsed.data;
  return { calotype: server, limits, reportError, ...rest };
}

/** One line: what is thrown of a request holds all of it, prompt and pictures. */
function logError(error: unknown): void {
  console.error(
    'calotype-ai-provider/next:',
    APICallError.isInstance(error) ? `${error.url} answered ${error.statusCode ?? 'nothing'}: ${error.message}` : error,
  );
}

const limitsSchema = z.strictObject({
  promptLengthMax: z.int().min(1).max(PROMPT_CHARACTERS_MAX).default(4_000),
  imagesMax: z.int().min(1).max(IMAGES_PER_CALL_MAX).default(4),
  uploadBytesMax: z
    .int()
    .min(0)
    .default(16 * 1024 * 1024),
});

const optionsSchema = z.strictObject({
  calotype: z.custom<PictureServer>(isPictureServer, 'must be a provider of this package').optional(),
  models: z.array(z.string().min(1)).min(1).optional(),
  limits: limitsSchema.optional(),
  authorize: aFunction<NonNullable<ImageRouteOptions['authorize']>>().optional(),
  reportError: aFunction<NonNullable<ImageRouteOptions['reportError']>>().optional(),
});

function isPictureServer(value: unknown): boolean {
  const { models, streamImage } = (value ?? {}) as Partial<PictureServer>;
  return typeof models === 'function' && typeof streamImage === 'function';
}

function aFunction<T>() {
  return z.custom<T>(value => typeof value === 'function', 'must be a function');
}
