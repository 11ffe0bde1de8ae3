import { combineHeaders, createJsonResponseHandler, getFromApi } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import type { CalotypeConfig } from './calotype-config.js';
import { calotypeFailedResponseHandler } from './calotype-error.js';

export interface ListModelsOptions {
  abortSignal?: AbortSignal;
  headers?: Record<string, string | undefined>;
}

export async function listModels(config: CalotypeConfig, options: ListModelsOptions = {}): Promise<CalotypeModel[]> {
  const { value } = await getFromApi({
    url: `${config.baseURL()}/models`,
    headers: combineHeaders(config.headers(), options.headers),
    failedResponseHandler: calotypeFailedResponseHandler,
    successfulResponseHandler: createJsonResponseHandler(modelListSchema),
    abortSignal: options.abortSignal,
    fetch: config.fetch,
  });
  return value.data.map(model => ({ id: model.id, ownedBy: model.owned_by, card: model.calotype }));
}

export interface CalotypeModel {
  id: string;
  ownedBy: string;
  /** What the model can do. */
  card: CalotypeModelCard;
}

/** What one model can do. What is absent, `false` or 0, the model does not have. */
export type CalotypeModelCard = z.infer<typeof cardSchema>;

const sizeSchema = z
  .object({ width: z.number(), height: z.number() })
  .transform(({ width, height }): `${number}x${number}` => `${width}x${height}`);

const rangeSchema = z.object({ min: z.number(), max: z.number(), default: z.number() });

const sizeRangeSchema = z
  .object({ multiple_of: z.number(), side_min: z.number(), side_max: z.number(), pixels_max: z.number() })
  .transform(range => ({
    multipleOf: range.multiple_of,
    sideMin: range.side_min,
    sideMax: range.side_max,
    pixelsMax: range.pixels_max,
  }));

const qualitySchema = z
  .object({ num_inference_steps: z.number().optional(), pixels: z.number().optional() })
  .transform(level => ({ numInferenceSteps: level.num_inference_steps, pixels: level.pixels }));

/** The server leaves out what is as it is for most; the defaults here are the server's. */
const cardSchema = z
  .object({
    description: z.string().default(''),
    default_size: sizeSchema,
    sizes: z.array(sizeSchema).default([]),
    size_range: sizeRangeSchema.optional(),
    aspect_ratio_max: z.number().default(3),
    num_inference_steps: rangeSchema.optional(),
    guidance_scale: rangeSchema.optional(),
    negative_prompt: z.boolean().default(false),
    seed: z.boolean().default(true),
    qualities: z.record(z.string(), qualitySchema).default({}),
    strength: rangeSchema.optional(),
    images_max: z.number().default(0),
    mask: z.boolean().default(false),
    control_image: z.boolean().default(false),
    requires: z.array(z.string()).default([]),
    output_formats: z.array(z.string()).default(['png', 'jpeg', 'webp']),
    max_images_per_call: z.number().default(10),
    max_sequence_length: z.number().optional(),
  })
  .transform(card => ({
    description: card.description,
    defaultSize: card.default_size,
    /** The only sizes it paints; empty where `sizeRange` says it. */
    sizes: card.sizes,
    sizeRange: card.size_range,
    /** The most oblong shape, long side to short. */
    aspectRatioMax: card.aspect_ratio_max,
    numInferenceSteps: card.num_inference_steps,
    guidance: card.guidance_scale,
    negativePrompt: card.negative_prompt,
    /** Whether it paints from the caller's seed. */
    seed: card.seed,
    qualities: card.qualities,
    /** With `imagesMax`: it starts from a picture, and may leave it so far. Without: it edits by instruction. */
    strength: card.strength,
    /** Pictures that it takes. */
    imagesMax: card.images_max,
    mask: card.mask,
    controlImage: card.control_image,
    /** What it does not paint without. */
    requires: card.requires,
    outputFormats: card.output_formats,
    /** More are painted too: the server asks the model several times. */
    maxImagesPerCall: card.max_images_per_call,
    /** Tokens of the prompt that it reads. */
    maxSequenceLength: card.max_sequence_length,
  }));

const modelListSchema = z.object({
  data: z.array(z.object({ id: z.string(), owned_by: z.string(), calotype: cardSchema })),
});
