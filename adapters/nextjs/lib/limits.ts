/** What one request may hold. The route refuses what is beyond, and the page says so before it asks. */
export const limits = {
  promptLengthMax: 4_000,
  /** Pictures painted for one request. */
  imagesMax: 4,
  /** Pictures given and the mask together. */
  uploadBytesMax: 16 * 1024 * 1024,
};

/** Seeds that every server takes, and that JSON carries unchanged. */
export const SEED_MAX = Number.MAX_SAFE_INTEGER;
