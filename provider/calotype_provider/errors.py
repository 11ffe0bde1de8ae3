"""Every error a caller of Calotype can meet.

CalotypeError
├── InvalidCallError            the call itself is wrong: names the parameter
├── MalformedRequestError       the request cannot be read at all
├── AuthenticationError         no key, or not a known one
├── ForbiddenError              the door is not open to this Host or Origin, or a URL was not made here
├── IdempotencyKeyReusedError   the key came with another body before
├── RequestTooLargeError        the body is over its bound
├── RequestTimeoutError         the body did not arrive in time
├── UnsupportedMediaTypeError   the body is of a kind that is not read here
├── NoSuchModelError            nobody here paints under this id
├── NoSuchFileError             no picture is kept under this name
├── FileExpiredError            the picture's URL is genuine, and its time is over
├── RangeNotSatisfiableError    the part of the picture that was asked for begins behind its end
├── NoSuchRequestError          no picture of this id is being painted, or was lately
├── NoSuchJobError              no job of this id is the caller's, or its time is over
├── ModelBusyError              too many wait already: come back in retry_after_seconds
│   └── DeadlineError           the wait would be longer than the caller's own
├── StorageFullError            the store of answers by URL, or of jobs, is full of what is still kept
├── StorageError                the store of answers by URL, or of jobs, could not keep something, or give it back
├── ModelLoadError              the model's files cannot be loaded
├── EngineError                 the engine could not paint: is_retryable says whether another try may
├── NoImageGeneratedError       the backend answered without a picture
├── CallerLeftError             nobody waits for the answer any more: the work was stopped
├── APICallError                a remote API refused or failed
└── ConfigError                 a setting is wrong: the server does not start
"""

from __future__ import annotations

from collections.abc import Sequence

RETRY_SOON_SECONDS = 2.0
"""After which another try may succeed where nobody knows better: others' pictures end, or a new worker begins."""


class CalotypeError(Exception):
    """The root of the tree. `str()` is a message fit for the caller: no keys, no paths, no traceback."""

    is_retryable: bool = False


class InvalidCallError(CalotypeError):
    """`parameter` is the field of ImageModelCall, or of the request, that is wrong."""

    def __init__(self, message: str, *, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class MalformedRequestError(CalotypeError):
    """Not JSON, not UTF-8, nested too deep, not an object, or a broken form."""


class AuthenticationError(CalotypeError):
    """The message never holds the key."""


class ForbiddenError(CalotypeError):
    pass


class IdempotencyKeyReusedError(CalotypeError):
    pass


class RequestTooLargeError(CalotypeError):
    def __init__(self, *, bytes_max: int) -> None:
        super().__init__(f"the request body is larger than {bytes_max} bytes")
        self.bytes_max = bytes_max


class RequestTimeoutError(CalotypeError):
    pass


class UnsupportedMediaTypeError(CalotypeError):
    pass


class NoSuchModelError(CalotypeError):
    """`available` names some models that exist; `hint` says what would make this one exist."""

    def __init__(self, model_id: str, *, available: Sequence[str] = (), hint: str | None = None) -> None:
        named = f"{model_id[:200]!r}"
        known = f"; available: {', '.join(available[:8])}" if available else ""
        super().__init__(f"no model {named} is served here{known}" + (f". {hint}" if hint else ""))
        self.model_id = model_id
        self.available = tuple(available)
        self.hint = hint


class NoSuchFileError(CalotypeError):
    pass


class FileExpiredError(CalotypeError):
    pass


class RangeNotSatisfiableError(CalotypeError):
    def __init__(self, *, bytes_total: int) -> None:
        super().__init__(f"the picture has {bytes_total} bytes, and the range that was asked for begins behind them")
        self.bytes_total = bytes_total


class NoSuchRequestError(CalotypeError):
    def __init__(self, request_id: str) -> None:
        super().__init__(f"no picture {request_id[:200]!r} is being painted here, or was lately")
        self.request_id = request_id


class NoSuchJobError(CalotypeError):
    """The same for a job of somebody else."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id[:80]!r} of yours, or its time is over")
        self.job_id = job_id


class ModelBusyError(CalotypeError):
    is_retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineError(ModelBusyError):
    """Refused before any work: the next try, or another server, may be in time."""


class StorageFullError(CalotypeError):
    is_retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StorageError(CalotypeError):
    """The message says what failed and never where: no paths, no bucket, no credentials."""

    def __init__(self, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


class ModelLoadError(CalotypeError):
    def __init__(self, model_id: str, reason: str) -> None:
        super().__init__(f"the model {model_id!r} cannot be loaded: {reason}")
        self.model_id = model_id
        self.reason = reason


class EngineError(CalotypeError):
    def __init__(self, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


class NoImageGeneratedError(CalotypeError):
    pass


class CallerLeftError(CalotypeError):
    pass


class APICallError(CalotypeError):
    """No status: the network failed. `is_retryable` follows the status as the AI SDK has it: 408, 409, 429, 500 up.

    `retry_after_seconds` is what the other side advised; None where it did not.
    """

    def __init__(
        self, message: str, *, url: str, status_code: int | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.url = url
        self.status_code = status_code
        self.retry_after_seconds = retry_after_seconds
        self.is_retryable = status_code is None or status_code in (408, 409, 429) or status_code >= 500


class ConfigError(CalotypeError):
    """The message names the setting."""
