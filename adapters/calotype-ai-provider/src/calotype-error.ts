import { createJsonErrorResponseHandler } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';

export const calotypeErrorSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string().nullish(),
    param: z.string().nullish(),
    code: z.string().nullish(),
  }),
});

/** What `APICallError.data` holds. */
export type CalotypeErrorData = z.infer<typeof calotypeErrorSchema>;

export const calotypeFailedResponseHandler = createJsonErrorResponseHandler({
  errorSchema: calotypeErrorSchema,
  errorToMessage: data => data.error.message,
  isRetryable: response => {
    // The server knows what would fail again: it says so where the status alone would have clients try in vain.
    const said = response.headers.get('x-should-retry');
    return said === null ? isRetryableStatus(response.status) : said === 'true';
  },
});

/** As the AI SDK has it. */
function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}
