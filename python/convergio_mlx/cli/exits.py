"""What the program's exit codes mean; scripts rely on them, so they never change."""

from __future__ import annotations

from convergio_mlx.errors import ErrorCode

OK = 0
FAILURE = 1
USAGE = 2
MODEL = 3
UNAVAILABLE = 4
CONTEXT = 5
MEMORY = 6
NETWORK = 7
STORAGE = 8
TIMEOUT = 124
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANINGS: dict[int, str] = {
    OK: "The answer is complete, or a conversation was ended.",
    FAILURE: "Any other failure, or a batch in which requests failed.",
    USAGE: "An option, an argument or the prompt is invalid.",
    MODEL: "The model is missing, damaged or not supported.",
    UNAVAILABLE: "MLX cannot run on this machine, or is installed in the wrong version.",
    CONTEXT: "The prompt and its answer do not fit the model's context window.",
    MEMORY: "Not enough memory.",
    NETWORK: "The network is forbidden or down, or a server refuses the request or needs a token.",
    STORAGE: "The disk is full or cannot be written, or a model is in use.",
    TIMEOUT: "The answer was not complete within --timeout.",
    INTERRUPTED: "Interrupted by Ctrl-C.",
    BROKEN_PIPE: "The reader of the output ended first.",
}

_BY_ERROR: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: USAGE,
    ErrorCode.CONTEXT_LENGTH: CONTEXT,
    ErrorCode.MODEL_NOT_FOUND: MODEL,
    ErrorCode.MODEL_CORRUPT: MODEL,
    ErrorCode.LOAD_FAILED: MODEL,
    ErrorCode.TOKENIZER_FAILED: MODEL,
    ErrorCode.UNAVAILABLE: UNAVAILABLE,
    ErrorCode.OUT_OF_MEMORY: MEMORY,
    ErrorCode.AUTH: NETWORK,
    ErrorCode.NETWORK: NETWORK,
    ErrorCode.RATE_LIMIT: NETWORK,
    ErrorCode.STORAGE: STORAGE,
    ErrorCode.TIMEOUT: TIMEOUT,
    ErrorCode.CANCELLED: INTERRUPTED,
}


def exit_code(error: ErrorCode) -> int:
    """The exit code of an error; `FAILURE` for those without one of their own."""
    return _BY_ERROR.get(error, FAILURE)
