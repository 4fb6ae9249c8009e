"""A checkpoint's tensors as MLX's models have them: the names of their modules, and experts stacked
into one tensor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

_EXPERT = re.compile(
    r"(?P<block>.*)\.experts\.(?P<number>\d+)\.(?P<name>gate_proj|up_proj|down_proj|w[123])"
    r"\.(?P<part>weight|bias)"
)
_NUMBERED = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
_UNGATED = {"up_proj": "fc1", "down_proj": "fc2"}
"""Of experts without a gate."""
_FUSED = re.compile(
    r"(?P<block>.*)\.(?P<name>input_linear\.weight|output_linear\.weight"
    r"|experts\.gate_up_proj|experts\.down_proj)"
)
"""Experts whose gate and up projections are one tensor; the last two are no module's."""
_STACKS = {"mlp": "switch_mlp", "feed_forward": "experts", "block_sparse_moe": "switch_mlp"}
"""Where MLX's models have stacked experts, by the block that they are in; others have them beside a
dense feed-forward."""
_RENAMED: dict[str, tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = {
    "kimi_linear": (re.compile(r"\.block_sparse_moe\.(gate(?=\.e_score))?\.?"), ".mlp."),
    "laguna": (re.compile(r"\.mlp\.gate\.weight"), ".mlp.gate.proj.weight"),
    "lfm2_moe": (
        re.compile(r"(?<=\.feed_forward\.)w[123](?=\.)"),
        lambda match: _NUMBERED[match[0]],
    ),
    "nemotron_h": (
        re.compile(r"(?<=\.mixer\.switch_mlp\.)(up_proj|down_proj)(?=\.)"),
        lambda match: _UNGATED[match[0]],
    ),
}
"""By model type, the modules that MLX's class names otherwise than the published checkpoints."""
_PREFIXES = ("model.language_model.", "language_model.model.", "language_model.", "model.")

Row = tuple[str, str, list[int], int]
"""Of the native module: name, dtype, shape, bytes."""


@dataclass(frozen=True)
class Piece:
    """Rows of one of the checkpoint's tensors; a row is what its last dimension has."""

    source: str
    first: int
    rows: int


@dataclass(frozen=True)
class Target:
    """A tensor of the new checkpoint, before it is quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]
    """What it is made of, in order."""
    is_matrix: bool

    @property
    def module(self) -> str:
        """The name without `.weight`."""
        return self.name.removesuffix(".weight")

    @property
    def columns(self) -> int:
        """Of its last dimension."""
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """All that come before its last dimension."""
        return prod(self.shape[:-1])


def targets(
    tensors: Iterable[Row], matrices: Iterable[str], *, model_type: str, wrapped: bool
) -> list[Target]:
    """What a checkpoint's tensors become.

    Args:
        tensors: what the model reads of them.
        matrices: the modules of its weight matrices.
        model_type: of the text model.
        wrapped: whether it is the text model of a multimodal checkpoint, whose tensors have one
            spelling in MLX of the several that are published.
    """
    known = set(matrices)
    stacks: dict[str, list[tuple[int, Target]]] = {}
    found: dict[str, Target | None] = {}
    mlx_name = partial(_mlx_name, model_type=model_type, wrapped=wrapped)
    for name, dtype, shape, _ in tensors:
        is_matrix = name.removesuffix(".weight") in known
        match = _EXPERT.fullmatch(name)
        one = _whole(mlx_name(name), name, dtype, tuple(shape), is_matrix)
        if match is not None:
            proj = _NUMBERED.get(match["name"], match["name"])
            stack = f"{match['block']}.switch_mlp.{proj}.{match['part']}"
            stacks.setdefault(mlx_name(stack), []).append((int(match["number"]), one))
            found.setdefault(mlx_name(stack), None)
        else:
            for part in _split(one):
                found[part.name] = part
    return [one or _stacked(name, stacks[name]) for name, one in found.items()]


def _whole(name: str, source: str, dtype: str, shape: tuple[int, ...], is_matrix: bool) -> Target:
    return Target(name, dtype, shape, (Piece(source, 0, prod(shape[:-1])),), is_matrix)


def _stacked(name: str, experts: list[tuple[int, Target]]) -> Target:
    in_order = [one for _, one in sorted(experts, key=lambda pair: pair[0])]
    first = in_order[0]
    shape = (len(in_order), *first.shape)
    pieces = tuple(piece for one in in_order for piece in one.pieces)
    return Target(name, first.dtype, shape, pieces, first.is_matrix)


def _split(one: Target) -> Iterator[Target]:
    """Of experts whose gate and up projections are one tensor, both."""
    match = _FUSED.fullmatch(one.name)
    if match is None or len(one.shape) != 3:
        yield one
        return
    experts, rows, columns = one.shape
    source = one.pieces[0].source
    block = match["block"]
    stack = f"{block}.{_STACKS.get(block.rpartition('.')[2], 'experts.switch_glu')}"
    if match["name"] in ("output_linear.weight", "experts.down_proj"):
        name = f"{stack}.down_proj.weight"
        yield Target(name, one.dtype, one.shape, one.pieces, one.is_matrix)
        return
    for half, name in enumerate(("gate_proj", "up_proj")):
        yield Target(
            f"{stack}.{name}.weight",
            one.dtype,
            (experts, rows // 2, columns),
            tuple(
                Piece(source, expert * rows + half * (rows // 2), rows // 2)
                for expert in range(experts)
            ),
            one.is_matrix,
        )


def _mlx_name(name: str, model_type: str, wrapped: bool) -> str:
    if model_type in _RENAMED:
        pattern, new = _RENAMED[model_type]
        name = pattern.sub(new, name)
    if not wrapped:
        return name
    plain = next((name.removeprefix(one) for one in _PREFIXES if name.startswith(one)), name)
    inner = "" if plain.startswith("lm_head") else "model."
    return f"language_model.{inner}{plain}"
