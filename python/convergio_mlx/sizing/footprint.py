"""What a model takes in memory, from its config.json and the sizes of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import LoadError, TokenizerError
from convergio_mlx.platform.native import native
from convergio_mlx.platform.once import once
from convergio_mlx.text.model_folder import ModelFolder, text_config

if TYPE_CHECKING:
    from convergio_mlx._native import Geometry
    from convergio_mlx.registry import RegistryEntry

_MOST_TOGETHER = 16
"""Requests that share a pass, each with a row of logits (csrc/engine/generation.h)."""
_STATE_BYTES = 4
"""Of a number in a state (csrc/model/layer_state.h)."""
_PROGRAM = 200_000_000
"""Bytes of the interpreter, the libraries and a tokenizer: a vocabulary of 128 thousand takes 77
MB, and 212 while its file is read."""


def prefill_chunk(experts: int = 0) -> int:
    """Tokens of a prompt that are run at once by a model with so many experts; other requests get
    their turn between. On a CPU more at once go no faster, but for experts, each of which gets a
    part of them; and what they take grows with them (csrc/kernels/mlx/policy.cpp)."""
    chunk: int = native().prefill_chunk(experts > 0)
    return chunk


@dataclass(frozen=True)
class Need:
    """What a model takes at one length of context, in bytes."""

    context: int
    """Tokens of prompt and answer together."""
    weights: int
    kv_cache: int
    """Keys and values, and the states of layers with a recurrence."""
    compute: int
    """The most that computing takes at a time, in prefill, and the program itself."""

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.kv_cache + self.compute


@dataclass(frozen=True)
class Footprint:
    """A model's sizes, from its config.json and its files."""

    geometry: Geometry
    weights: int
    """Bytes of the files."""
    activation_bytes: int
    """Of a number that is computed with."""
    kv_bytes: int
    """Of a number in the KV cache."""
    folder: Path | None = None
    """Where the files are; None for a model that is not here."""
    draft: Footprint | None = None
    """That of a smaller model which drafts for it, and counts with it."""

    @once
    def active_weights(self) -> int:
        """Bytes of the weights that making a token reads: of a mixture of experts, only those that
        the token goes to; of a table of embeddings for each layer, a row. Counted where the files
        are here, else estimated."""
        if self.folder is not None:
            try:
                idle: int = native().idle_bytes(os.fsencode(self.folder))
                return self.weights - idle
            except LoadError:  # which loading it tells better
                pass
        return self.weights - self._idle_weights()

    def _idle_weights(self) -> int:
        """Experts have the bits that config.json says in general, and the rest has what is left;
        where it says nothing, all have the same."""
        sizes = self.geometry
        expert = sizes.expert_parameters * sizes.sparse_layers
        rows = sizes.per_layer_size * len(self._layers) * sizes.vocab_size
        idle = sizes.experts - sizes.experts_per_token
        rest = rows + self._dense_parameters()
        if not sizes.expert_bits or not sizes.experts:
            return self.weights * (idle * expert + rows) // (sizes.experts * expert + rest)
        all_experts = min(int(sizes.experts * expert * sizes.expert_bits / 8), self.weights)
        return all_experts * idle // sizes.experts + (self.weights - all_experts) * rows // rest

    @property
    def context_window(self) -> int:
        """The most tokens that the model takes."""
        return self.geometry.context_window

    def need(self, context: int) -> Need:
        """Bytes at a length of context. Layers with a sliding window keep two windows, or one and
        a chunk of the prompt (csrc/model/cache.cpp)."""
        chunk = prefill_chunk(self.geometry.experts)
        numbers = sum(
            row * (min(context, max(2 * window, window - 1 + chunk)) if window else context)
            for window, row in self._layers
        )
        cache = numbers * self.kv_bytes + self.state_bytes
        need = Need(context, self.weights, cache, self._compute(min(context, chunk)))
        if self.draft is None:
            return need
        beside = self.draft.need(min(context, self.draft.context_window))
        return Need(
            context,
            need.weights + beside.weights,
            need.kv_cache + beside.kv_cache,
            max(need.compute, beside.compute),
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of a sequence's states, however long it is: those of layers with a recurrence."""
        return self.geometry.state_numbers * _STATE_BYTES

    def longest(self, memory: int) -> int:
        """The longest context that fits into so many bytes; 0 where none does."""
        low, high = 0, self.context_window
        while low < high:
            middle = (low + high + 1) // 2
            if self.need(middle).total <= memory:
                low = middle
            else:
                high = middle - 1
        return low

    @once
    def _layers(self) -> list[tuple[int, int]]:
        """For each layer its window and the numbers that it keeps of a token."""
        return list(zip(self.geometry.windows, self.geometry.kv_numbers_of_layers, strict=True))

    @once
    def _width(self) -> int:
        """Numbers of a token that are there at a time, in the widest layer."""
        sizes = self.geometry
        layer = max(3 * (query + key + inner) for query, key, inner in sizes.widths_of_layers)
        beside = 3 * sizes.per_layer_size * len(self._layers)
        # a row of each expert that a token goes to: what it takes, prepacked, and what it makes
        row = max(sizes.hidden_size, sizes.expert_width) * 3 // 2
        experts = sizes.experts_per_token * (row + sizes.hidden_size + sizes.expert_width)
        return 5 * sizes.hidden_size + layer + beside + experts + 2 * sizes.expert_latent

    def _dense_parameters(self) -> int:
        """Of the matrices that every token goes through."""
        sizes = self.geometry
        dense = sum(inner for _, _, inner in sizes.widths_of_layers)
        dense -= sizes.sparse_layers * sizes.intermediate_size
        shared = sizes.sparse_layers * sizes.shared_expert_width
        beside = len(self._layers) * sizes.per_layer_size
        tables = sizes.vocab_size * (1 if sizes.tied else 2)
        latent = 2 * sizes.sparse_layers * sizes.expert_latent
        rows = sizes.feed_forward_matrices * (dense + shared) + 3 * beside + latent + tables
        return sizes.mixer_parameters + sizes.hidden_size * rows

    def _compute(self, tokens: int) -> int:
        """The arrays that one layer has at a time, no less than what MLX counts at its peak (a
        test holds that), a row of logits, and the states that a pass replaces at its end."""
        logits = 8 * self.geometry.vocab_size
        arrays = tokens * self._width * self.activation_bytes
        return arrays + logits + self.state_bytes + _PROGRAM

    @property
    def pass_bytes(self) -> int:
        """The most that a pass takes beside weights and KV caches: over a chunk of a prompt, or
        over the tokens of all requests that share one."""
        shared = 8 * self.geometry.vocab_size * _MOST_TOGETHER
        own = self._compute(prefill_chunk(self.geometry.experts)) - _PROGRAM + shared
        return own if self.draft is None else max(own, self.draft.pass_bytes)


def footprint(config: Mapping[str, Any], weights: int) -> Footprint:
    """A model's footprint.

    Args:
        config: its config.json, or as much of it as sizes it.
        weights: bytes of its files.

    Raises:
        ModelCorruptError, UnsupportedModelError: the engine cannot run such a config.
        UnavailableError: MLX cannot run here.
    """
    return _footprint(native().geometry(json.dumps(dict(config)).encode()), config, weights)


def config_footprint(config: bytes, weights: int) -> Footprint:
    """As `footprint`, of the bytes of a config.json."""
    geometry = native().geometry(config)  # which refuses what is not JSON
    return _footprint(geometry, json.loads(config), weights)


def folder_footprint(
    folder: Path | ModelFolder, geometry: Geometry | None = None
) -> Footprint | None:
    """As `footprint`, of a model's folder; None where its files cannot be looked at, which loading
    it will tell better. `geometry` is that of its config.json where that has been parsed already.
    """
    files = ModelFolder.of(folder)
    path = os.fsencode(files.path)
    try:
        config = files.json("config.json")
        names = native().weight_files(path)
        weights = sum((files.path / name).stat().st_size for name in names)
    except (OSError, LoadError, TokenizerError):
        return None
    if not config:
        return None
    geometry = geometry or native().folder_geometry(path)
    return _footprint(geometry, config, weights, files.path)


def _footprint(
    geometry: Geometry, config: Mapping[str, Any], weights: int, folder: Path | None = None
) -> Footprint:
    core = native()
    parts = (config, text_config(config))
    dtype = next((str(p[key]) for p in parts for key in ("dtype", "torch_dtype") if p.get(key)), "")
    width = 4 if core.backend() == "cpu" or dtype == "float32" else 2
    kv_width = 2 if core.keeps_half_cache() else width
    return Footprint(geometry, weights, width, kv_width, folder)


def entry_footprint(entry: RegistryEntry) -> Footprint | None:
    """As `footprint`, of a model that is not here yet; None where the registry does not say enough
    or the engine cannot run it."""
    if entry.config is None or entry.download_bytes is None or entry.context_window is None:
        return None
    config = {
        "model_type": entry.model_type,
        "max_position_embeddings": entry.context_window,
        "sliding_window": None,  # an entry without one has none, whatever the class's default
        **entry.config,
    }
    try:
        return footprint(config, entry.download_bytes)
    except LoadError:
        return None
