"""The hub's address and what it is told, through huggingface_hub: its endpoint and tokens."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from convergio_mlx.errors import NetworkSettingsError
from convergio_mlx.platform.http import split_credentials, without_credentials


def endpoint() -> str:
    """The hub: `HF_ENDPOINT` without the user and password in it, or huggingface.co."""
    return _endpoint()[0]


def _endpoint() -> tuple[str, dict[str, str]]:
    from huggingface_hub import constants

    given = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    try:
        plain, said = split_credentials(given)
        parts = urlsplit(plain)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("it must be http:// or https:// with a host and maybe a port")
        return plain, said
    except ValueError as error:
        raise NetworkSettingsError(
            f"[store] HF_ENDPOINT {without_credentials(given)[:100]!a} is no address ({error}); "
            "correct or unset it."
        ) from error


def file_url(repository: str, revision: str, name: str) -> str:
    """Where a file is asked for."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repository, name, revision=revision, endpoint=endpoint())


def headers() -> dict[str, str]:
    """What the hub is told: that this program asks, and the token, or the user and password of
    `HF_ENDPOINT`.

    Raises:
        NetworkSettingsError: the token cannot be read, or is none.
    """
    from huggingface_hub import constants, get_token

    from convergio_mlx.version import __version__

    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OSError, ValueError) as error:
        raise NetworkSettingsError(
            f"[store] the token for the hub cannot be read ({type(error).__name__}); set HF_TOKEN "
            "to a token of the hub, or unset it."
        ) from error
    said = {"user-agent": f"convergio-mlx/{__version__}"}
    if token is not None:
        said["Authorization"] = f"Bearer {token}"
    return {**said, **_endpoint()[1]}
