"""What tells an architecture of GGUF files from another, and where the tensors of a file go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

IGNORED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that become part of config.json."""
ONE_ROW = "ffn_gate_inp_shexp"
"""A matrix of one row, which files have as a vector."""
_STACKS = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "attn_k_b", "attn_v_b"}
_FUSED_STACKS = {"ffn_gate_up_exps": ("ffn_gate_exps", "ffn_up_exps")}
"""Stacks whose matrices are two, one above the other."""
FUSED_BY_HEAD = "ssm_ba"
"""A matrix that has, for one key head after the other, the rows of two."""
_FUSED = {**_FUSED_STACKS, FUSED_BY_HEAD: ("ssm_beta", "ssm_alpha")}
CONVOLUTIONS = ("shortconv.conv", "ssm_conv1d", *(f"ssm_conv1d_{part}" for part in "qkv"))
"""Weights of convolutions, which folders have an axis of 1 behind of."""
DECAYS = "ssm_a"
"""Numbers that a folder has the logarithms of, with the sign changed."""
FLAT = (DECAYS, "ssm_d", "ssm_norm")
"""Vectors that some files have as matrices."""
NUMBERS = (*CONVOLUTIONS, *FLAT, "ssm_dt")
"""What is no matrix, whatever its part is called."""
_BARE = (DECAYS, "ssm_d")
"""Tensors of a layer whose names have no part."""
_NAMELESS = (
    *(".sinks", "e_score_correction_bias", "expert_bias", "layer_scalar", "router.scale"),
    *("router.per_expert_scale", ".A_log", ".D", ".dt_bias"),
)
"""Modules that are a tensor, and have none called weight or bias."""
_LAYER = re.compile(r"0|[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class Key:
    """A key of the architecture's own that becomes a field of config.json."""

    name: str
    """Without the architecture's name in front."""
    default: Any = None
    """What the field says where the key is missing; None: null."""
    zero_is_none: bool = False
    may_be_zero: bool = False
    needed: bool = False
    """A file without it does not convert: the field's absence would mean a number of its class."""


@dataclass(frozen=True)
class Architecture:
    """How an architecture's files differ from a folder of its model type."""

    model_type: str
    class_name: str
    """What config.json's "architectures" says."""
    tensors: Mapping[str, str]
    """Tensors of the file, without layer and part, to modules of the folder."""
    norm_eps: tuple[str, str] = ("rms_norm_eps", "attention.layer_norm_rms_epsilon")
    """config.json's field, and the key that it comes from."""
    interleaved: bool = False
    """The writer has interleaved the rotary halves of each head's queries and keys."""
    norms_have_one_added: bool = False
    partial_rotary: bool = False
    scaled_by_default: bool = False
    """Where config.json says nothing of its rotary embedding, its class scales it."""
    yarn: Mapping[str, Any] = field(default_factory=dict)
    """What its YaRN has that no key tells."""
    rotary_keys: Mapping[str, Key] = field(default_factory=dict)
    """Fields of "rope_parameters" that have keys of their own."""
    first_context: bool = False
    """The positions that a model was first trained on stand beside what scales its embedding."""
    log_multiplier: float = 0.0
    """What "mscale_all_dim" is multiplied with to be a key; 0: there is none."""
    latent: bool = False
    """Attention is latent: a file has it as one head of keys, which are values too."""
    full_layers_differ: bool = False
    """Layers without a window have a geometry and a rotary embedding of their own (Gemma 4)."""
    recurrent_type: str = ""
    """What "layer_types" calls a layer with a recurrence: one whose list of keys' heads has 0."""
    attention_type: str = "full_attention"
    """What it calls the others."""
    layers: str = "model.layers"
    """What stands before the number of a layer in a folder."""
    lettered: bool = False
    """A layer is attention, experts or a recurrence alone, and has a letter that tells which."""
    delta_config: bool = False
    """A "linear_attn_config" tells the layers with a recurrence, and their sizes."""
    at_interval: bool = False
    """All layers have a recurrence but each n-th one."""
    tiled_heads: bool = False
    """The writer has ordered value heads in tiles: the first of each key head, then the second."""
    rope_parameters: bool = False
    """The class reads that of config.json, and no "rope_scaling"."""
    keys: Mapping[str, Key] = field(default_factory=dict)
    """config.json's field to the key that it comes from."""
    quotients: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """config.json's field to the keys of two counts, the one divided by the other."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of config.json that no key tells."""
    constants: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    """Tensors of one number in each layer: the key that lists the numbers, without an
    architecture's name in front, and the tensor's shape."""
    present: Mapping[str, str] = field(default_factory=dict)
    """Fields of config.json that say whether there is a tensor, to its name without layer."""
    only: Mapping[str, Any] = field(default_factory=dict)
    """Keys that mean something else than its class computes, unless missing or of this value."""
    variants: tuple[tuple[str, Any, Architecture], ...] = ()
    """Rows of files of the same name: a key, its value or None for any but 0, and the row. In the
    key's place may stand the name of a tensor, without layer and part, that such files have."""
    scalar_from_width: int | None = None
    """Of models with so many layers, "query_pre_attn_scalar" is hidden size / heads; of all others
    it is the head's size. None: there is no such field."""

    @property
    def has_experts(self) -> bool:
        """Whether its models may be mixtures of experts."""
        return any(key.name == "expert_count" for key in self.keys.values())

    def of(self, key: Callable[[str], Any]) -> Architecture:
        """The row for a file, by what it has under a name."""
        for name, value, row in self.variants:
            found = key(name)
            if found if value is None else found == value:
                return row
        return self


@dataclass(frozen=True)
class Place:
    """Where a tensor goes, or a part of it."""

    module: str
    part: str
    """weight, bias or scale."""
    base: str
    """The tensor's name in the file, without layer and part."""
    layer: int | None = None
    share: tuple[int, int] = (0, 1)
    """Which of how many blocks of rows, of each matrix of a stack or each head, is meant."""

    @property
    def tensor(self) -> str:
        """Its name in the folder, where it is of floats."""
        return self.module if self.module.endswith(_NAMELESS) else f"{self.module}.{self.part}"

    @property
    def is_stack(self) -> bool:
        """Whether it has three dimensions: a matrix for each expert, or for each head."""
        return self.part == "weight" and (self.base in _STACKS or self.base in _FUSED_STACKS)


def places_of(name: str, architecture: Architecture) -> tuple[Place, ...]:
    """Where a tensor of a file goes; nowhere where the architecture has none of that name."""
    parts = name.split(".")
    if parts[-1] in _BARE:
        parts.append("weight")
    is_layer = parts[0] == "blk" and len(parts) > 3 and _LAYER.fullmatch(parts[1]) is not None
    base, part = ".".join(parts[2 * is_layer : -1]), parts[-1]
    if part not in ("weight", "bias", "scale") or (base in _FUSED_STACKS and part != "weight"):
        return ()
    layer = int(parts[1]) if is_layer else None
    bases = _FUSED.get(base, (base,))
    names = [one if part != "scale" else f"{one}.scale" for one in bases]
    modules = [architecture.tensors.get(one, "") for one in names]
    whole = (f"{architecture.layers.partition('.')[0]}.", "lm_head")
    outside = [module.startswith(whole) for module in modules]
    if not all(modules) or any(outside) == is_layer:
        return ()
    before = f"{architecture.layers}.{layer}." if is_layer else ""
    return tuple(
        Place(before + module, part, base, layer, (at, len(modules)))
        for at, module in enumerate(modules)
    )
