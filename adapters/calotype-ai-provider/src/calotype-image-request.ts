import type { ImageModelV3CallOptions } from '@ai-sdk/provider';
import { convertImageModelFileToDataUri } from '@ai-sdk/provider-utils';
import { parseImageModelOptions } from './calotype-image-model-options.js';

/** What a call asks for, without how it is carried. */
export type CalotypeImageCall = Pick<
  ImageModelV3CallOptions,
  'prompt' | 'n' | 'size' | 'aspectRatio' | 'seed' | 'files' | 'mask' | 'providerOptions'
>;

/** A call in the words of `POST /images/generations`; what is `undefined` is left out of the JSON. */
export function toImageRequest(modelId: string | undefined, call: CalotypeImageCall) {
  const options = parseImageModelOptions(call.providerOptions);
  return {
    headers: { 'Idempotency-Key': options.idempotencyKey },
    body: {
      model: modelId,
      // The server takes an absent prompt for a mistake, and an empty one beside pictures for what it is.
      prompt: call.prompt ?? '',
      n: call.n,
      size: call.size,
      aspect_ratio: call.aspectRatio,
      seed: call.seed,
      image: call.files?.length ? call.files.map(convertImageModelFileToDataUri) : undefined,
      mask: call.mask && convertImageModelFileToDataUri(call.mask),
      num_inference_steps: options.numInferenceSteps,
      guidance: options.guidance,
      negative_prompt: options.negativePrompt,
      strength: options.strength,
      control_image: options.controlImage,
      input_images: options.inputImages?.length ? options.inputImages : undefined,
      output_format: options.outputFormat,
      output_compression: options.outputCompression,
      quality: options.quality,
      strict: options.strict,
      response_format: 'b64_json',
    },
  };
}
