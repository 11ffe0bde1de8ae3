/** Any id that the server lists, in any case. */
export type CalotypeImageModelId = 'calotype/tintype' | (string & {});

/**
 * The server's bound on one request. A model that paints fewer at once is asked several times by the server, which
 * counts the seeds on; were it done by the AI SDK, each of its calls would begin with the same seed again.
 */
export const IMAGES_PER_CALL_MAX = 10;
