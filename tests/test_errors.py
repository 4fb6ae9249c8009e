"""The exceptions: every native kind has one, every code is stable, a retry is promised rightly."""

import pickle
import re
from pathlib import Path

import pytest

from convergio_mlx import errors
from convergio_mlx.errors import ERROR_BY_KIND, ConvergioError, ErrorCode

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ConvergioError)
]
HEADER = Path(__file__).parent.parent / "csrc" / "io" / "error.h"


def test_every_native_kind_has_its_exception() -> None:
    body = re.search(r"enum class ErrorKind \{(.*?)\}", HEADER.read_text(), re.DOTALL)
    assert body is not None
    assert set(re.findall(r"\w+", body[1])) == set(ERROR_BY_KIND)


def test_codes() -> None:
    assert {kind.__name__: str(kind.code) for kind in CLASSES} == {
        "ConvergioError": "unknown",
        "InvalidRequestError": "invalid_request",
        "ConstraintError": "invalid_request",
        "ContextLengthError": "context_length",
        "NotInitializedError": "not_initialized",
        "OverloadedError": "overloaded",
        "AuthError": "auth",
        "RateLimitError": "rate_limit",
        "QuotaError": "quota",
        "ContentFilterError": "content_filter",
        "NetworkError": "network",
        "UnavailableError": "unavailable",
        "VersionMismatchError": "unavailable",
        "LoadError": "load_failed",
        "ModelNotFoundError": "model_not_found",
        "ModelNotInstalledError": "model_not_found",
        "ModelCorruptError": "model_corrupt",
        "UnsupportedModelError": "load_failed",
        "TokenizerError": "tokenizer_failed",
        "InferenceError": "inference_failed",
        "OutOfMemoryError": "out_of_memory",
        "DeadlineExceededError": "timeout",
        "GenerationCancelledError": "cancelled",
        "NetworkSettingsError": "network",
        "OfflineError": "network",
        "StorageError": "storage",
        "ModelInUseError": "storage",
    }
    assert len({str(code) for code in ErrorCode}) == len(ErrorCode)


def test_what_a_retry_can_help() -> None:
    assert {kind.__name__ for kind in CLASSES if kind.retryable} == {
        "OverloadedError",
        "RateLimitError",
        "NetworkError",
        "InferenceError",
        "OutOfMemoryError",
        "DeadlineExceededError",
        "ModelInUseError",
    }


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_the_way_to_another_process(kind: type[ConvergioError]) -> None:
    made = kind("[x] says what; do this.", hint="do this", provider_code="x9", retry_after_ms=5)
    error = pickle.loads(pickle.dumps(made))
    assert (type(error), str(error), error.hint) == (kind, "[x] says what; do this.", "do this")
    assert (error.provider_code, error.retry_after_ms) == ("x9", 5)
