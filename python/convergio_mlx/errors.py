"""Every exception this package raises: one root, a stable code, and whether a retry can help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """What a host switches on; the first group is shared by all providers, the second our own."""

    OK = "ok"
    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    MODEL_NOT_FOUND = "model_not_found"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    NETWORK = "network"
    INVALID_REQUEST = "invalid_request"
    NOT_INITIALIZED = "not_initialized"
    UNKNOWN = "unknown"

    UNAVAILABLE = "unavailable"
    MODEL_CORRUPT = "model_corrupt"
    OUT_OF_MEMORY = "out_of_memory"
    LOAD_FAILED = "load_failed"
    INFERENCE_FAILED = "inference_failed"
    TOKENIZER_FAILED = "tokenizer_failed"
    STORAGE = "storage"
    CANCELLED = "cancelled"


class ConvergioError(Exception):
    """Root of all errors of this package; raised itself only for an internal fault.

    `str(error)` is one sentence that begins with who speaks in brackets and ends with what would
    work; `hint` is that remedy alone (a command, say) where a program can show it on its own.
    """

    code: ClassVar[ErrorCode] = ErrorCode.UNKNOWN
    retryable: ClassVar[bool] = False
    hint: str | None
    provider_code: str | None
    retry_after_ms: int | None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        provider_code: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        """Takes the whole sentence; where there is one, the remedy alone; and of a service
        elsewhere its own code for the failure and the milliseconds it wants to be left alone."""
        super().__init__(message)
        self.hint = hint
        self.provider_code = provider_code
        self.retry_after_ms = retry_after_ms


class InvalidRequestError(ConvergioError):
    """An argument, a message, an option or a token id that cannot be honoured as given."""

    code = ErrorCode.INVALID_REQUEST


class ContextLengthError(InvalidRequestError):
    """The prompt and what it may generate do not fit the model's context window."""

    code = ErrorCode.CONTEXT_LENGTH


class ConstraintError(InvalidRequestError):
    """A request's constraint raised, or left the answer no way to go on."""


class NotInitializedError(ConvergioError):
    """Something was asked of an engine or provider that is not loaded, or was shut down."""

    code = ErrorCode.NOT_INITIALIZED


class OverloadedError(ConvergioError):
    """Too much is at work to take the request now; it works again once some of that is done."""

    code = ErrorCode.OVERLOADED
    retryable = True


class AuthError(ConvergioError):
    """A service does not accept the key, or there is none."""

    code = ErrorCode.AUTH


class RateLimitError(ConvergioError):
    """A service takes no more requests for a while."""

    code = ErrorCode.RATE_LIMIT
    retryable = True


class QuotaError(ConvergioError):
    """What the account may use of a service is used up."""

    code = ErrorCode.QUOTA


class ContentFilterError(ConvergioError):
    """A service refuses the request or its answer for what it says."""

    code = ErrorCode.CONTENT_FILTER


class NetworkError(ConvergioError):
    """A service cannot be reached, or the connection broke."""

    code = ErrorCode.NETWORK
    retryable = True


class UnavailableError(ConvergioError):
    """MLX cannot run on this machine, or not with what is installed."""

    code = ErrorCode.UNAVAILABLE


class VersionMismatchError(UnavailableError):
    """The libmlx found is another version than the one the native module was built with."""


class LoadError(ConvergioError):
    """A model could not be loaded for a reason that no narrower class names."""

    code = ErrorCode.LOAD_FAILED


class ModelNotFoundError(LoadError):
    """No such model id, folder, or file of a model."""

    code = ErrorCode.MODEL_NOT_FOUND


class ModelNotInstalledError(ModelNotFoundError):
    """A model of the registry that is not on this machine."""


class ModelCorruptError(LoadError):
    """A model's file contradicts itself or another: truncated, misshapen, missing tensors."""

    code = ErrorCode.MODEL_CORRUPT


class UnsupportedModelError(LoadError):
    """A sound model of a kind that this version cannot run."""


class TokenizerError(LoadError):
    """The tokenizer or its configuration is missing, unreadable, or does not fit the model."""

    code = ErrorCode.TOKENIZER_FAILED


class InferenceError(ConvergioError):
    """A computation failed; that request is over and the next one works."""

    code = ErrorCode.INFERENCE_FAILED
    retryable = True


class OutOfMemoryError(ConvergioError):
    """The device or the memory limit had no room; works again once memory is freed."""

    code = ErrorCode.OUT_OF_MEMORY
    retryable = True


class DeadlineExceededError(ConvergioError):
    """The request's deadline passed before it was finished."""

    code = ErrorCode.TIMEOUT
    retryable = True


class GenerationCancelledError(ConvergioError):
    """The caller cancelled the request."""

    code = ErrorCode.CANCELLED


class NetworkSettingsError(NetworkError):
    """A proxy, certificate, address or token that this machine is set to use cannot be used."""

    retryable = False


class OfflineError(NetworkError):
    """The network is needed, and forbidden."""

    retryable = False


class StorageError(ConvergioError):
    """The disk is full, cannot be written, or holds what does not belong there."""

    code = ErrorCode.STORAGE


class ModelInUseError(StorageError):
    """Another process, or a loaded engine, is using the model."""

    retryable = True


ERROR_BY_KIND: dict[str, type[ConvergioError]] = {
    "InvalidRequest": InvalidRequestError,
    "ModelNotFound": ModelNotFoundError,
    "ModelCorrupt": ModelCorruptError,
    "UnsupportedModel": UnsupportedModelError,
    "ContextLength": ContextLengthError,
    "Constraint": ConstraintError,
    "OutOfMemory": OutOfMemoryError,
    "Cancelled": GenerationCancelledError,
    "Timeout": DeadlineExceededError,
    "LoadFailed": LoadError,
    "InferenceFailed": InferenceError,
    "Unavailable": UnavailableError,
    "Internal": ConvergioError,
}
"""The native module's error kinds (C++ `ErrorKind`, by name) and what each is raised as."""


@dataclass(frozen=True)
class ProviderErrorInfo:
    """How a call ended."""

    code: ErrorCode = ErrorCode.OK
    message: str = ""
    provider_code: str | None = None
    """The provider's own name of the failure: a service's error code, or our exception's class."""
    retryable: bool = False
    """Whether the same call can succeed later."""
    retry_after_ms: int | None = None
    """Milliseconds to wait before that, where the provider says so."""

    @classmethod
    def of(cls, error: BaseException) -> ProviderErrorInfo:
        """What an exception says."""
        if not isinstance(error, ConvergioError):
            return cls(ErrorCode.UNKNOWN, str(error), type(error).__name__)
        own = error.provider_code or type(error).__name__
        return cls(error.code, str(error), own, error.retryable, error.retry_after_ms)
