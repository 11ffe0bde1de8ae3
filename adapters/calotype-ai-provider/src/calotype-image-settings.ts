/** Any id that the server lists, in any case. */
export type CalotypeImageModelId =
  | 'calotype/tintype'
  | 'calotype/tintype-kontext'
  | 'calotype/tintype-canny'
  | (string & {});

/** The server's bound on one request. A model that paints fewer at once is asked several times by the server. */
export const IMAGES_PER_CALL_MAX = 10;

/** The server's bounds on any call. */
export const PROMPT_CHARACTERS_MAX = 32_000;
export const PREVIEWS_MAX = 3;
