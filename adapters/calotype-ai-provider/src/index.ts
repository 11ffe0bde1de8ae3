export { calotype, createCalotype } from './calotype-provider.js';
export type { CalotypeProvider, CalotypeProviderSettings } from './calotype-provider.js';
export type { CalotypeErrorData } from './calotype-error.js';
export type { CalotypeImageMetadata } from './calotype-image-metadata.js';
export type { CalotypeImageModelOptions } from './calotype-image-model-options.js';
export type { CalotypeImageModelId } from './calotype-image-settings.js';
export type {
  CalotypeImageStream,
  CalotypeImageStreamPart,
  CalotypeStreamedImage,
  EventStreamOptions,
} from './calotype-image-stream.js';
export type { CalotypeModel, CalotypeModelCard } from './calotype-models.js';
export type { CalotypeImageInput, CalotypeImagePrompt, CalotypeStreamImageOptions } from './calotype-stream-image.js';
export { readImageStream } from './read-image-stream.js';
export { VERSION } from './version.js';
