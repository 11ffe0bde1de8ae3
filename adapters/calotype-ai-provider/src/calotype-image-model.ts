import type { ImageModelV3, ImageModelV3CallOptions } from '@ai-sdk/provider';
import { combineHeaders, createJsonResponseHandler, postJsonToApi } from '@ai-sdk/provider-utils';
import { z } from 'zod/v4';
import type { CalotypeConfig } from './calotype-config.js';
import { calotypeFailedResponseHandler } from './calotype-error.js';
import {
  answerFactsSchema,
  imageFactsSchema,
  toImageMetadata,
  type CalotypeImageMetadata,
} from './calotype-image-metadata.js';
import { parseImageModelOptions } from './calotype-image-model-options.js';
import { toImageRequest } from './calotype-image-request.js';
import { IMAGES_PER_CALL_MAX, type CalotypeImageModelId } from './calotype-image-settings.js';
import { addUsage, toUsage, usageSchema } from './calotype-usage.js';
import { toWarning, warningSchema } from './calotype-warning.js';

export class CalotypeImageModel implements ImageModelV3 {
  // AI SDK 7 takes v3 and v4, AI SDK 6 refuses v4.
  readonly specificationVersion = 'v3';
  // The AI SDK would begin each of its calls with the same seed; so what is too much for one request is parted here.
  readonly maxImagesPerCall = Number.MAX_SAFE_INTEGER;

  constructor(
    readonly modelId: CalotypeImageModelId,
    private readonly config: CalotypeConfig,
  ) {}

  get provider(): string {
    return this.config.provider;
  }

  async doGenerate(options: ImageModelV3CallOptions): Promise<Generated> {
    let generated = await this.ask(part(options, 0));
    for (let offset = IMAGES_PER_CALL_MAX; offset < options.n; offset += IMAGES_PER_CALL_MAX) {
      generated = joined(generated, await this.ask(part(options, offset)));
    }
    return generated;
  }

  private async ask(options: ImageModelV3CallOptions): Promise<Generated> {
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

interface Generated extends Awaited<ReturnType<ImageModelV3['doGenerate']>> {
  images: string[];
  providerMetadata: { calotype: { images: CalotypeImageMetadata[] } };
}

/** The pictures from `offset` on, as many as one request may ask for: with the seeds, and a key, of their own. */
function part(options: ImageModelV3CallOptions, offset: number): ImageModelV3CallOptions {
  const n = Math.min(options.n - offset, IMAGES_PER_CALL_MAX);
  if (offset === 0) {
    return { ...options, n };
  }
  const seed = options.seed === undefined ? undefined : options.seed + offset;
  const { idempotencyKey, ...others } = parseImageModelOptions(options.providerOptions);
  const calotype = idempotencyKey === undefined ? others : { ...others, idempotencyKey: `${idempotencyKey}-${offset}` };
  return { ...options, n, seed, providerOptions: { ...options.providerOptions, calotype } };
}

/** What both say is said once. */
function joined(one: Generated, other: Generated): Generated {
  const said = new Set(one.warnings.map(warning => JSON.stringify(warning)));
  return {
    images: [...one.images, ...other.images],
    warnings: [...one.warnings, ...other.warnings.filter(warning => !said.has(JSON.stringify(warning)))],
    usage: addUsage(one.usage, other.usage),
    providerMetadata: {
      calotype: { images: [...one.providerMetadata.calotype.images, ...other.providerMetadata.calotype.images] },
    },
    response: one.response,
  };
}

const imagesResponseSchema = answerFactsSchema.extend({
  data: z.array(imageFactsSchema.extend({ b64_json: z.string() })),
  usage: usageSchema.nullish(),
  warnings: z.array(warningSchema).nullish(),
});
