import type { ImageModelV3Usage } from '@ai-sdk/provider';
import { z } from 'zod/v4';

export const usageSchema = z.object({
  input_tokens: z.number().nullish(),
  output_tokens: z.number().nullish(),
  total_tokens: z.number().nullish(),
});

export function toUsage(usage: z.infer<typeof usageSchema> | null | undefined): ImageModelV3Usage | undefined {
  return usage == null
    ? undefined
    : {
        inputTokens: usage.input_tokens ?? undefined,
        outputTokens: usage.output_tokens ?? undefined,
        totalTokens: usage.total_tokens ?? undefined,
      };
}

export function addUsage(
  one: ImageModelV3Usage | undefined,
  other: ImageModelV3Usage | undefined,
): ImageModelV3Usage | undefined {
  if (one === undefined || other === undefined) {
    return one ?? other;
  }
  return {
    inputTokens: add(one.inputTokens, other.inputTokens),
    outputTokens: add(one.outputTokens, other.outputTokens),
    totalTokens: add(one.totalTokens, other.totalTokens),
  };
}

function add(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : one + other;
}
