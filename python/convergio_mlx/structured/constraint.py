"""What a constraint of an answer is: the one thing that the engine asks of it."""

from __future__ import annotations

from typing import Protocol

Mask = bytes | bytearray | memoryview
"""One bit per token, in 32-bit words of this machine's order: token t may follow where bit t % 32
of word t // 32 is set; tokens beyond the last word may not. Any buffer will do, such as
llguidance's `LLMatcher.compute_bitmask()` or a numpy array."""


class Constraint(Protocol):
    """Says at each token of one answer which may follow. Called on a thread of this answer's own,
    while the model computes (on a CPU, one of more than 16 MB): what takes shorter than the model's
    step costs nothing, what takes longer holds up this answer alone, until its deadline or
    `cancel()`. It may not call the engine, which raises an InvalidRequestError there.

        def one_of_two(accepted: list[int]) -> bytes | None:
            return None if accepted else (0b110).to_bytes(4, sys.byteorder)  # token 1 or 2

    What it raises ends the request with a ConstraintError; so does a mask that allows nothing.
    """

    def __call__(self, accepted: list[int], /) -> Mask | list[int] | None:
        """What may follow.

        Args:
            accepted: the tokens of the answer since the last call: none at the first, then one,
                or those it forced.

        Returns:
            A mask of the tokens that may follow; or tokens that must follow, from one to 2²⁰,
            which then are the answer's without a step of the model; or None, which ends the answer
            with the finish reason "stop".
        """
