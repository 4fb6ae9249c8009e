"""The hub's address and what it is told, through huggingface_hub: its endpoint and tokens."""

from __future__ import annotations

import os

from convergio_mlx.errors import NetworkSettingsError
from convergio_mlx.platform.http import split_credentials, without_credentials


def endpoint() -> str:
    """The hub: `HF_ENDPOINT` without the user and password in it, or huggingface.co."""
    return _endpoint()[0]


def _endpoint() -> tuple[str, dict[str, str]]:
    from huggingface_hub import constants

    given = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    try:
        return split_credentials(given)
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
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    from convergio_mlx.version import __version__

    try:
        said = build_hf_headers(library_name="convergio-mlx", library_version=__version__)
    except (OSError, ValueError) as error:
        raise NetworkSettingsError(
            f"[store] the token for the hub cannot be read ({type(error).__name__}); set HF_TOKEN "
            "to a token of the hub, or unset it."
        ) from error
    return {**said, **_endpoint()[1]}
