"""How much of a model's context window a conversation may fill before it is compacted."""

from __future__ import annotations

from convergio_mlx.errors import InvalidRequestError

CLOUD_TOKENS = 80_000
"""Where a conversation with a cloud model is compacted, if its window is large enough."""
WINDOW_PERCENT = 60
"""The part of any window that may be filled."""
LEAST_TOKENS = 2_000
MOST_TOKENS = 200_000


def compaction_threshold(context_window: int, *, local: bool) -> int:
    """The tokens of a prompt from which on a conversation is to be compacted.

    Args:
        context_window: tokens of prompt and answer together that can be used: the model's window,
            or what of it fits in memory.
        local: whether the model runs on this machine.

    Returns:
        Local: 60 % of the window. Cloud: 80 000, but no more than 60 % of the window. Both: at
        least 2 000, at most 200 000, and never more than the window.

    Raises:
        InvalidRequestError: the window is no whole number above 0.
    """
    if isinstance(context_window, bool) or not isinstance(context_window, int):
        raise _refusal(context_window)
    if context_window < 1:
        raise _refusal(context_window)
    part = context_window * WINDOW_PERCENT // 100
    wanted = part if local else min(CLOUD_TOKENS, part)
    return min(max(wanted, LEAST_TOKENS), MOST_TOKENS, context_window)


def _refusal(context_window: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"[context] the context window is {context_window!r}, which must be a whole number of "
        "tokens above 0."
    )
