export interface ImageRouteErrorDetails {
  /** The field of the body that is wrong. */
  parameter?: string;
  /** As the `retry-after` header has it. */
  retryAfter?: string;
  cause?: unknown;
}

/** What the caller of the route is told: no keys, no hosts, no stack. `cause` is for the app alone. */
export class ImageRouteError extends Error {
  override readonly name = 'ImageRouteError';
  readonly parameter?: string;
  readonly retryAfter?: string;

  constructor(
    readonly status: number,
    message: string,
    { parameter, retryAfter, cause }: ImageRouteErrorDetails = {},
  ) {
    super(message, { cause });
    this.parameter = parameter;
    this.retryAfter = retryAfter;
  }
}
