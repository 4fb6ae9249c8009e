"""What is told of paths that are not served: why not, where one of the interfaces has it."""

from __future__ import annotations

from collections.abc import Collection

_STORED = "nothing is stored here; send the whole conversation with each request"
_FILES = "nothing is stored here; put the text into the messages"
_TEXT = "models here read and write text alone; send text to /v1/chat/completions"
_AT_ONCE = "send its requests at once; they share passes over the weights"
_WHY = {
    **dict.fromkeys(("assistants", "conversations", "threads"), _STORED),
    "responses/input_tokens": "tokens are counted elsewhere; ask /v1/messages/count_tokens",
    **dict.fromkeys(("chat/completions", "responses"), _STORED),
    **dict.fromkeys(("files", "uploads", "vector_stores", "containers", "skills"), _FILES),
    **dict.fromkeys(("audio", "images", "videos", "realtime", "live"), _TEXT),
    "embeddings": "models here write text, not vectors; ask a service that has embeddings",
    "moderations": "models here answer chats; ask one of them with a response_format",
    "fine_tuning": "models are trained elsewhere; `convergio-mlx models import` takes the result",
    "complete": "it was Anthropic's before messages; send these to /v1/messages",
    **dict.fromkeys(("batches", "messages/batches"), _AT_ONCE),
}
"""By the beginnings of paths under /v1."""


def why_not_found(path: str, served: Collection[str]) -> str:
    """The sentence on a path that there is not.

    Args:
        path: of the request.
        served: the paths that there are.
    """
    absent = f"[server] there is no path {path[:200]!r} here"
    if f"/v1{path}" in served:
        return f"{absent}; give a base URL that ends in /v1."
    if path.removeprefix("/v1") in served:
        return f"{absent}; give a base URL without /v1."
    name = path.removeprefix("/v1/")
    for beginning, why in _WHY.items():
        if name != path and f"{name}/".startswith(f"{beginning}/"):
            told = f"/v1/{beginning}{'/…' if name != beginning else ''}"
            return f"[server] {told} is not served: {why}."
    return f"{absent}; GET /openapi.json lists what there is."


def why_not_allowed(method: str, path: str, allowed: str) -> str:
    """The sentence on a method that a path does not take.

    Args:
        method: the request's.
        path: of the request.
        allowed: the methods that it takes, as in an `Allow` header.
    """
    methods = " or ".join(sorted(allowed.split(", ")))
    return f"[server] {path[:200]} takes no {method[:20]}; send {methods}."
