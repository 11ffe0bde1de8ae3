import { z } from 'zod/v4';
import { calotypeErrorSchema } from './calotype-error.js';
import { answerFactsSchema, imageFactsSchema } from './calotype-image-metadata.js';
import { usageSchema } from './calotype-usage.js';
import { warningSchema } from './calotype-warning.js';

const queuedSchema = z.object({
  type: z.literal('image_generation.queued'),
  position: z.number(),
  seconds: z.number().nullish(),
});

const progressSchema = z.object({
  type: z.literal('image_generation.progress'),
  image_index: z.number(),
  step: z.number(),
  steps: z.number(),
});

const previewSchema = z.object({
  type: z.literal('image_generation.partial_image'),
  b64_json: z.string(),
  image_index: z.number(),
  partial_image_index: z.number(),
  output_format: z.string(),
});

const completedSchema = z.object({
  type: z.literal('image_generation.completed'),
  b64_json: z.string(),
  image_index: z.number(),
  usage: usageSchema.nullish(),
  warnings: z.array(warningSchema).nullish(),
  ...imageFactsSchema.shape,
  ...answerFactsSchema.shape,
  output_format: z.string(),
});

export type CompletedEvent = z.infer<typeof completedSchema>;
export type StreamEvent = z.infer<typeof knownSchema>;

const knownSchema = z.discriminatedUnion('type', [queuedSchema, progressSchema, previewSchema, completedSchema]);
const knownTypes: ReadonlySet<string> = new Set(knownSchema.options.map(option => option.shape.type.value));

/** What the server may say later, and this version does not know, is passed over. */
const unknownSchema = z
  .object({ type: z.string().refine(type => !knownTypes.has(type)) })
  .transform(() => ({ type: 'unknown' as const }));

export const streamEventSchema = z.union([calotypeErrorSchema, knownSchema, unknownSchema]);
