import { APICallError } from '@ai-sdk/provider';
import { calotypeErrorSchema, type CalotypeErrorData } from '../calotype-error.js';
import { ImageRouteError } from './image-route-error.js';
import { bodyName, inBodyNames } from './upstream-names.js';

type Told = CalotypeErrorData['error'];

/** What went wrong between this server and the picture server -> what the caller of the route is told. */
export function toUpstreamError(error: unknown): ImageRouteError {
  if (APICallError.isInstance(error)) {
    return ofAnswer(error, calotypeErrorSchema.safeParse(error.data).data?.error);
  }
  return error instanceof Error && NETWORK_ERROR_NAMES.has(error.name)
    ? unreachable(error)
    : new ImageRouteError(500, 'Something went wrong.', { cause: error });
}

/** What the server says of a call is written for callers; what it says of itself is not for those of this route. */
function ofAnswer(error: APICallError, told: Told | undefined): ImageRouteError {
  const status = statusOf(error, told);
  const retryAfter = error.responseHeaders?.['retry-after'];
  switch (status) {
    case 400:
    case 413:
      return told === undefined ? failed(error) : refused(status, told);
    case 404:
      // Where it is not the model that is missing, the server's address is wrong.
      return told?.param === 'model' ? refused(status, told) : failed(error);
    case 401:
    case 403:
      return new ImageRouteError(500, 'The picture server does not let this app in.', { cause: error });
    case 429:
      return new ImageRouteError(status, told?.message ?? 'Too many pictures are asked for just now.', { retryAfter });
    case 503:
      return new ImageRouteError(status, 'The picture server cannot paint just now.', { retryAfter, cause: error });
    default:
      // No answer, one that broke off, and those of whoever stands before the server.
      return told === undefined && UNREACHABLE.has(status) ? unreachable(error) : failed(error);
  }
}

/** A stream begins with 200, whatever it tells then. */
function statusOf({ statusCode }: APICallError, told: Told | undefined): number | undefined {
  if (statusCode !== 200 || told === undefined) {
    return statusCode;
  }
  return STATUS_OF_TYPE.get(told.type ?? '') ?? 500;
}

const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['rate_limit_error', 429],
]);
const UNREACHABLE: ReadonlySet<number | undefined> = new Set([undefined, 200, 502, 504]);

/** As `fetch` and the streams of its answers fail, where nobody has made an APICallError of it. */
const NETWORK_ERROR_NAMES: ReadonlySet<string> = new Set(['TypeError', 'AbortError', 'TimeoutError']);

function refused(status: number, { message, param }: Told): ImageRouteError {
  return new ImageRouteError(status, inBodyNames(message), { parameter: param == null ? undefined : bodyName(param) });
}

function failed(cause: unknown): ImageRouteError {
  return new ImageRouteError(500, 'The picture server failed.', { cause });
}

function unreachable(cause: unknown): ImageRouteError {
  return new ImageRouteError(502, 'The picture server cannot be reached.', { cause });
}
