import type { ImageModelV3, ImageModelV3CallOptions } from '@ai-sdk/provider';
import { combineHeaders, createJsonResponseHandler, postJsonToApi } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import type { CalotypeConfig } from './calotype-config.js';
import { calotypeFailedResponseHandler } from './calotype-error.js';
import { answerFactsSchema, imageFactsSchema, toImageMetadata } from './calotype-image-metadata.js';
import { toImageRequest } from './calotype-image-request.js';
import { IMAGES_PER_CALL_MAX, type CalotypeImageModelId } from './calotype-image-settings.js';
import { toUsage, usageSchema } from './calotype-usage.js';
import { toWarning, warningSchema } from './calotype-warning.js';

export class CalotypeImageModel implements ImageModelV3 {
  // AI SDK 7 takes v3 and v4, AI SDK 6 refuses v4.
  readonly specificationVersion = 'v3';
  readonly maxImagesPerCall = IMAGES_PER_CALL_MAX;

  constructor(
    readonly modelId: CalotypeImageModelId,
    private readonly config: CalotypeConfig,
  ) {}

  get provider(): string {
    return this.config.provider;
  }

  async doGenerate(options: ImageModelV3CallOptions): Promise<Awaited<ReturnType<ImageModelV3['doGenerate']>>> {
    const { headers, body } = toImageRequest(this.modelId, options);
    const currentDate = this.config._internal?.currentDate?.() ?? new Date();
    const { value: answer, responseHeaders } = await postJsonToApi({
      url: `${this.config.baseURL()}/images/generations`,
      headers: combineHeaders(this.config.headers(), headers, options.headers),
      body,
      failedResponseHandler: calotypeFailedResponseHandler,
      successfulResponseHandler: createJsonResponseHandler(imagesResponseSchema),
      abortSignal: options.abortSignal,
      fetch: this.config.fetch,
    });
    return {
      images: answer.data.map(image => image.b64_json),
      warnings: (answer.warnings ?? []).map(toWarning),
      usage: toUsage(answer.usage),
      providerMetadata: { calotype: { images: answer.data.map(image => toImageMetadata(image, answer)) } },
      response: { timestamp: currentDate, modelId: answer.model ?? this.modelId, headers: responseHeaders },
    };
  }
}

const imagesResponseSchema = answerFactsSchema.extend({
  data: z.array(imageFactsSchema.extend({ b64_json: z.string() })),
  usage: usageSchema.nullish(),
  warnings: z.array(warningSchema).nullish(),
});
