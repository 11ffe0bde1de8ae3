import { InvalidArgumentError, type SharedV3ProviderOptions } from '@ai-sdk/provider';
import { z } from 'zod/v4';

const picture = z.string().min(1);

/** Nothing that is not here gets through: an option misspelt would be an option lost. */
export const imageModelOptionsSchema = z.strictObject({
  /** Denoising steps, by the model's card. */
  numInferenceSteps: z.int().min(1).optional(),
  /** How closely the prompt is followed, by the model's card. */
  guidance: z.number().min(0).optional(),
  /** What the picture should not show. */
  negativePrompt: z.string().optional(),
  /** How far the picture given may be left. */
  strength: z.number().min(0).max(1).optional(),
  /** Edges or depth, for models that are led by them: base64, a data URI, or an http(s) URL. */
  controlImage: picture.optional(),
  /** More pictures, after those of the prompt: base64, data URIs, or http(s) URLs. */
  inputImages: z.array(picture).max(8).optional(),
  outputFormat: z.enum(['png', 'jpeg', 'webp']).optional(),
  /** Of JPEG and WebP: 0 (smallest file) to 100 (best picture). */
  outputCompression: z.int().min(0).max(100).optional(),
  /** Steps and pixels by the model's card, where they are not given. */
  quality: z.enum(['low', 'medium', 'high', 'xhigh', 'max', 'auto']).optional(),
  /** Whatever would be a warning is refused. */
  strict: z.boolean().optional(),
  /** Of one request: the same key and body are answered once, for ten minutes. */
  idempotencyKey: z
    .string()
    .regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional(),
});

export type CalotypeImageModelOptions = z.infer<typeof imageModelOptionsSchema>;

export function parseImageModelOptions(providerOptions: SharedV3ProviderOptions | undefined): CalotypeImageModelOptions {
  const parsed = imageModelOptionsSchema.safeParse(providerOptions?.calotype ?? {});
  if (!parsed.success) {
    throw new InvalidArgumentError({
      argument: 'providerOptions',
      message: `providerOptions.calotype: ${z.prettifyError(parsed.error)}`,
      cause: parsed.error,
    });
  }
  return parsed.data;
}
