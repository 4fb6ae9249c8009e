"""What a hub that refuses or cannot be reached means for a person."""

from __future__ import annotations

from collections.abc import Mapping

from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    ModelNotFoundError,
    NetworkError,
    NetworkSettingsError,
    RateLimitError,
)
from convergio_mlx.platform.http import RequestError
from convergio_mlx.store.endpoint import endpoint


def refusal(error: RequestError) -> ConvergioError:
    """A failed request as one of our errors."""
    if not error.is_passing:
        return NetworkSettingsError(
            f"[store] the hub at {endpoint()} cannot be asked ({error}); correct HF_ENDPOINT, "
            "HF_TOKEN, SSL_CERT_FILE, HTTPS_PROXY or ALL_PROXY."
        )
    return NetworkError(
        f"[store] the hub at {endpoint()} cannot be reached ({error}); check the network, "
        "HTTPS_PROXY and HF_ENDPOINT, and run the same again to go on."
    )


def refused(status: int, headers: Mapping[str, str], repository: str) -> ConvergioError:
    """What an HTTP status of the hub means for a person."""
    error = _refused(status, headers, repository)
    if seconds := retry_after(headers):
        error.retry_after_ms = round(seconds * 1000)
    return error


def _refused(status: int, headers: Mapping[str, str], repository: str) -> ConvergioError:
    code = headers.get("X-Error-Code", "")
    page = f"{endpoint()}/{repository}"
    if status == 403 and code != "GatedRepo":
        said = ascii(headers.get("X-Error-Message", "no reason given"))[1:-1][:200]
        return AuthError(
            f"[store] the hub refuses {repository!r} with status 403 ({said}); check HF_TOKEN, "
            "HF_ENDPOINT and proxies."
        )
    if code == "GatedRepo":
        return AuthError(
            f"[store] {repository!r} is gated; accept its licence at {page} with your account, "
            "then set HF_TOKEN to a token of that account and download again.",
            hint=page,
        )
    if status == 401:
        remedy = (
            "set HF_TOKEN to one that may read it"
            if _has_token()
            else "check its name, or set HF_TOKEN to a token that may read it"
        )
        what = "does not take the token for" if _has_token() else "has no public repository"
        return AuthError(f"[store] the hub {what} {repository!r}; {remedy}.")
    if status == 404:
        what = {
            "RevisionNotFound": "does not have the revision that was asked for",
            "EntryNotFound": "does not have a file that its listing names",
        }.get(code, "is not on the hub")
        return ModelNotFoundError(
            f"[store] {repository!r} {what} ({endpoint()}); check the registry's entry and "
            "HF_ENDPOINT."
        )
    if status == 429:
        seconds = retry_after(headers)
        when = f"in {seconds:.0f} s" if seconds else "in some minutes"
        return RateLimitError(
            f"[store] the hub takes no more requests from here for now; run the same again {when}, "
            "or set HF_TOKEN, which raises the limit."
        )
    return NetworkError(
        f"[store] the hub at {endpoint()} answers {status} for {repository!r}; "
        "try again later, or check HF_ENDPOINT."
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait; None where it does not say."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _has_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())
