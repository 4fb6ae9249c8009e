"""Conversations as batches: tokens, loss weights, and several conversations a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from .corpus import Conversation, asked
from .held_out import HeldOut
from .text import CONTEXT, TURN_END, TURN_START, renderer

WEIGHTS = {"assistant": 1.0, "user": 0.1}  # of the loss, by who wrote a token; 0 for others
WIDTHS = (128, 256, CONTEXT)  # a conversation goes into a row of the first width that holds it

Encoded = tuple[list[int], list[float]]


class Encoder:
    """Conversations to tokens and loss weights."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.render = renderer()
        self.start, self.end = (tokenizer.token_to_id(t) for t in (TURN_START, TURN_END))
        newline = tokenizer.encode("\n").ids[0]
        self.headers = {
            (self.start, *tokenizer.encode(role).ids, newline): weight
            for role, weight in WEIGHTS.items()
        }

    def row(self, conversation: Conversation) -> Encoded:
        """Token ids and their weights; a turn's end mark belongs to it, its header does not."""
        ids: list[int] = self.tokenizer.encode(self.render(**conversation)).ids[:CONTEXT]
        weights = [0.0] * len(ids)
        weight = 0.0
        for i, token in enumerate(ids):
            weights[i] = weight
            if token == self.end:
                weight = 0.0
            for header, w in self.headers.items():
                if tuple(ids[i - len(header) + 1 : i + 1]) == header:
                    weight = w
        return ids, weights


@dataclass
class Row:
    """Conversations one after another; `documents` counts them."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)

    def add(self, encoded: Encoded) -> None:
        """One more; its first token is no target of the one before."""
        ids, weights = encoded
        number = self.documents[-1] + 1 if self.documents else 1
        self.ids += ids
        self.weights += [0.0, *weights[1:]]
        self.documents += [number] * len(ids)


@dataclass
class Block:
    """Rows of like width as (rows, width) tensors."""

    tokens: torch.Tensor
    weights: torch.Tensor
    documents: torch.Tensor


def blocks(encoded: list[Encoded]) -> list[Block]:
    """Pack conversations first-fit, short ones with short ones."""
    out = []
    low = 0
    for width in WIDTHS:
        rows: list[Row] = []
        some = [e for e in encoded if low < len(e[0]) <= width]
        capacity = width if width < CONTEXT else max((len(e[0]) for e in some), default=0)
        for e in sorted(some, key=lambda e: -len(e[0])):
            row = next((r for r in rows if len(r.ids) + len(e[0]) <= capacity), None)
            if row is None:
                row = Row()
                rows.append(row)
            row.add(e)
        low = width
        if rows:
            longest = max(len(r.ids) for r in rows)
            pad = [longest - len(r.ids) for r in rows]
            pairs = list(zip(rows, pad, strict=True))
            out.append(
                Block(
                    torch.tensor([r.ids + [0] * n for r, n in pairs]),
                    torch.tensor([r.weights + [0.0] * n for r, n in pairs]),
                    torch.tensor([r.documents + [0] * n for r, n in pairs]),
                )
            )
    return out


def batches(
    source: Iterator[Conversation], encoder: Encoder, tokens: int, held: HeldOut
) -> Iterator[list[Block]]:
    """Batches of `tokens` tokens or a few more, each a mix of all kinds of conversations."""
    while True:
        encoded: list[Encoded] = []
        while sum(len(ids) for ids, _ in encoded) < tokens:
            made = next(source)
            leaked = [q for q in asked(made["messages"]) if held.meets(q)]
            if leaked:
                raise AssertionError(f"[guide] held-out questions in the corpus: {leaked}")
            encoded.append(encoder.row(made))
        yield blocks(encoded)
