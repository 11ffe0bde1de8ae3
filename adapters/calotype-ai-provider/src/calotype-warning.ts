import type { SharedV3Warning } from '@ai-sdk/provider';
import { z } from 'zod/v4';

export const warningSchema = z.object({
  type: z.string(),
  feature: z.string(),
  details: z.string().nullish(),
});

/** The server's warning as specification v3 has it, by the name that the caller gave the setting. */
export function toWarning({ type, feature, details }: z.infer<typeof warningSchema>): SharedV3Warning {
  const name = CALL_NAMES[feature] ?? camelCase(feature);
  switch (type) {
    case 'unsupported':
    case 'compatibility':
      return details == null ? { type, feature: name } : { type, feature: name, details };
    default:
      // `deprecated` came with v4, and AI SDK 6 knows no other words than these three.
      return { type: 'other', message: details == null ? name : `${name}: ${details}` };
  }
}

const CALL_NAMES: Record<string, string> = { image: 'files', images: 'files', guidance_scale: 'guidance' };

export function camelCase(text: string): string {
  return text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
