"""Whether this process may use the network at all."""

from __future__ import annotations

import os

from convergio_mlx.errors import OfflineError

_VARIABLES = ("CONVERGIO_OFFLINE", "HF_HUB_OFFLINE")
_YES = frozenset({"1", "true", "yes", "on"})
_chosen = False


def go_offline() -> None:
    """No socket is opened by this process from now on: `--offline`, or a host's choice."""
    global _chosen  # noqa: PLW0603 (one process, one state)
    _chosen = True


def offline_reason() -> str | None:
    """What forbids the network: `--offline`, or a variable of the environment; None if nothing."""
    if _chosen:
        return "offline mode"
    for name in _VARIABLES:
        value = os.environ.get(name, "")
        if value.strip().lower() in _YES:
            return f"{name}={value.strip()}"
    return None


def is_offline() -> bool:
    """Whether the network is forbidden."""
    return offline_reason() is not None


def require_network(what: str) -> None:
    """Refuses where the network is forbidden.

    Args:
        what: what it is wanted for, as the end of "… needs the network": "downloading x".

    Raises:
        OfflineError: it is forbidden.
    """
    if reason := offline_reason():
        raise OfflineError(
            f"[offline] {what} needs the network, which {reason} forbids; do it without that."
        )
