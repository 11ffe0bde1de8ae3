import { removeUndefinedEntries } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';

/** One picture: `providerMetadata.calotype.images[i]`. What the server does not tell is absent. */
export type CalotypeImageMetadata = {
  /** Paints this picture again. */
  seed?: number;
  /** As it was painted. */
  size?: string;
  quality?: string;
  outputFormat?: string;
  /** The canonical id of the model that painted. */
  modelId?: string;
  /** Which weights it had. */
  modelRevision?: string;
  /** Denoising steps. */
  steps?: number;
  /** From its first step to the finished file. */
  milliseconds?: number;
  /** In US dollars. */
  cost?: string;
};

/** Of one picture; the last four are read where the server has them. */
export const imageFactsSchema = z.object({
  seed: z.number().nullish(),
  model_revision: z.string().nullish(),
  steps: z.number().nullish(),
  milliseconds: z.number().nullish(),
  cost: z.union([z.string(), z.number()]).nullish(),
});

/** Of an answer, or of one picture of a stream. */
export const answerFactsSchema = z.object({
  model: z.string().nullish(),
  size: z.string().nullish(),
  quality: z.string().nullish(),
  output_format: z.string().nullish(),
});

export function toImageMetadata(
  image: z.infer<typeof imageFactsSchema>,
  answer: z.infer<typeof answerFactsSchema>,
): CalotypeImageMetadata {
  return removeUndefinedEntries({
    seed: image.seed ?? undefined,
    size: answer.size ?? undefined,
    quality: answer.quality ?? undefined,
    outputFormat: answer.output_format ?? undefined,
    modelId: answer.model ?? undefined,
    modelRevision: image.model_revision ?? undefined,
    steps: image.steps ?? undefined,
    milliseconds: image.milliseconds ?? undefined,
    cost: image.cost == null ? undefined : String(image.cost),
  });
}
