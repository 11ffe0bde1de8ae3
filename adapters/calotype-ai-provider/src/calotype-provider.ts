import { InvalidArgumentError, NoSuchModelError, type ImageModelV3, type ProviderV3 } from '@ai-sdk/provider';
import {
  loadOptionalSetting,
  withoutTrailingSlash,
  withUserAgentSuffix,
  type FetchFunction,
} from '@ai-sdk/provider-utils';
import type { CalotypeConfig } from './calotype-config.js';
import { CalotypeImageModel } from './calotype-image-model.js';
import type { CalotypeImageModelId } from './calotype-image-settings.js';
import type { CalotypeImageStream } from './calotype-image-stream.js';
import { listModels, type CalotypeModel, type ListModelsOptions } from './calotype-models.js';
import { streamImage, type CalotypeStreamImageOptions } from './calotype-stream-image.js';
import { VERSION } from './version.js';

export interface CalotypeProviderSettings {
  /**
   * Where the server is, with its `/v1`. Default: the environment variable `CALOTYPE_BASE_URL`, or
   * `http://127.0.0.1:8000/v1`.
   */
  baseURL?: string;

  /** Needed where the server has keys. Default: the environment variable `CALOTYPE_API_KEY`. */
  apiKey?: string;

  /** Sent with every request. */
  headers?: Record<string, string>;

  /** In place of the global `fetch`: as a middleware, or for tests. */
  fetch?: FetchFunction;
}

export interface CalotypeProvider extends ProviderV3 {
  /** A model for `generateImage`. */
  image(modelId: CalotypeImageModelId): ImageModelV3;

  /** A model for `generateImage`. */
  imageModel(modelId: CalotypeImageModelId): ImageModelV3;

  /** Every model that the server has, with its card, which says what the model can do. */
  models(options?: ListModelsOptions): Promise<CalotypeModel[]>;

  /** Paints, and tells on the way: the queue, each step, previews, each picture. It begins when it is read. */
  streamImage(options: CalotypeStreamImageOptions): CalotypeImageStream;

  /** @deprecated Calotype has no such models. */
  textEmbeddingModel(modelId: string): never;
}

const BASE_URL = 'http://127.0.0.1:8000/v1';

export function createCalotype(settings: CalotypeProviderSettings = {}): CalotypeProvider {
  if (settings.baseURL?.trim() === '') {
    throw new InvalidArgumentError({ argument: 'baseURL', message: "baseURL must be a URL that ends in '/v1', got ''" });
  }
  const config: CalotypeConfig = {
    provider: 'calotype.image',
    baseURL: () =>
      withoutTrailingSlash(
        loadOptionalSetting({ settingValue: settings.baseURL, environmentVariableName: 'CALOTYPE_BASE_URL' }) || BASE_URL,
      )!,
    headers: () => withUserAgentSuffix(ownHeaders(settings), `calotype-ai-provider/${VERSION}`),
    fetch: settings.fetch,
  };
  const imageModel = (modelId: CalotypeImageModelId) => new CalotypeImageModel(modelId, config);

  return {
    specificationVersion: 'v3',
    image: imageModel,
    imageModel,
    models: options => listModels(config, options),
    streamImage: options => streamImage(config, options),
    languageModel: refuse('languageModel'),
    embeddingModel: refuse('embeddingModel'),
    textEmbeddingModel: refuse('embeddingModel'),
    transcriptionModel: refuse('transcriptionModel'),
    speechModel: refuse('speechModel'),
    rerankingModel: refuse('rerankingModel'),
  };
}

/** Set up by the environment, which it reads when it is first used. */
export const calotype = createCalotype();

function ownHeaders({ apiKey, headers }: CalotypeProviderSettings): Record<string, string> {
  const key = loadOptionalSetting({ settingValue: apiKey, environmentVariableName: 'CALOTYPE_API_KEY' });
  return { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers };
}

function refuse(modelType: NoSuchModelError['modelType']) {
  return (modelId: string): never => {
    throw new NoSuchModelError({ modelId, modelType });
  };
}
