"""How each matrix of a model is quantized: the mode in general, a recipe of mixed bits, and what a
family of models needs. The choices are mlx-lm's, so that its folders and these are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.native import native

RECIPES = {"mixed_2_6": (2, 6), "mixed_3_4": (3, 4), "mixed_3_6": (3, 6), "mixed_4_6": (4, 6)}
"""Bits of most matrices, and of those that a loss of precision hurts most."""
_SENSITIVE = ("v_proj", "v_a_proj", "v_b_proj", "down_proj")
_GRANITE = ("self_attn.o_proj", "mlp.down_proj", "lm_head")
_QWEN3_NEXT = ("mlp.gate", "shared_expert_gate")
_EIGHT_BITS = {
    "gemma4_text": ("router.proj",),
    "gpt_oss": ("mlp.router",),
    "granite": _GRANITE,
    "granitemoe": (*_GRANITE, "block_sparse_moe.router.layer"),
    "granitemoehybrid": ("block_sparse_moe.router.layer",),
    "kimi_linear": ("mlp.gate",),
    "laguna": ("mlp.gate.proj",),
    "lfm2_moe": ("feed_forward.gate",),
    "minimax_m2": ("block_sparse_moe.gate",),
    "qwen3_5_moe": _QWEN3_NEXT,
    "qwen3_moe": ("mlp.gate",),
    "qwen3_next": _QWEN3_NEXT,
}
"""By model type, how modules are named that have 8 bits without a recipe: routers, and weights that
are too small for the scales of some modes."""
_EIGHT = {"group_size": 64, "bits": 8}
_NONE = ("\0",)
"""What no name ends with."""
_FLOAT = {
    **dict.fromkeys(("glm4_moe", "glm4_moe_lite", "deepseek_v3", "deepseek_v2"), ("mlp.gate",)),
    "nemotron_h": ("mixer.gate",),
}
"""By model type, how modules are named that MLX's models have as floats alone."""


@dataclass(frozen=True)
class Setting:
    """How a matrix is quantized, as config.json says it."""

    group_size: int
    """Columns that share a scale."""
    bits: int
    mode: str = "affine"


@dataclass(frozen=True)
class QuantizeOptions:
    """What is asked for; made by `quantize_options`, which checks it."""

    setting: Setting
    recipe: str | None = None

    def __str__(self) -> str:
        """In words: 'affine, 4 bits, groups of 64'."""
        groups = f"groups of {self.setting.group_size}"
        if self.recipe:
            return f"{self.recipe}, {groups}"
        return f"{self.setting.mode}, {self.setting.bits} bits, {groups}"

    @property
    def suffix(self) -> str:
        """What the id of such a model ends with."""
        if self.recipe:
            return self.recipe
        mode = self.setting.mode
        return f"{self.setting.bits}bit" if mode == "affine" else mode


@dataclass(frozen=True)
class Matrix:
    """A weight matrix of a model."""

    module: str
    rows: int
    columns: int


def quantize_options(
    *,
    bits: int | None = None,
    group_size: int | None = None,
    mode: str = "affine",
    recipe: str | None = None,
) -> QuantizeOptions:
    """Checks what is asked for, and fills in what is not.

    Args:
        bits: of a weight; the mode's own by default. A recipe gives them itself.
        group_size: columns that share a scale; the mode's own by default.
        mode: affine, mxfp4, mxfp8 or nvfp4.
        recipe: a name of `RECIPES`, in affine mode.

    Raises:
        InvalidRequestError: there is no such mode or recipe, or it has no such bits or groups.
    """
    formats = {row[0]: row[1:] for row in native().quantization_formats()}
    if not isinstance(mode, str) or mode not in formats:
        raise InvalidRequestError(
            f"[quantize] mode is {mode!r}, which does not exist; give one of {', '.join(formats)}."
        )
    all_bits, all_groups, default_bits, default_group = formats[mode]
    if recipe is not None:
        if not isinstance(recipe, str) or recipe not in RECIPES:
            raise InvalidRequestError(
                f"[quantize] recipe is {recipe!r}, which does not exist; give one of "
                f"{', '.join(RECIPES)}."
            )
        if mode != "affine" or bits is not None:
            other = f"mode {mode!r}" if mode != "affine" else f"bits {bits!r}"
            raise InvalidRequestError(
                f"[quantize] recipe {recipe!r} says itself which matrices have how many bits in "
                f"affine mode, so {other} cannot be given with it; give one of them."
            )
    bits = default_bits if bits is None else bits
    group_size = default_group if group_size is None else group_size
    for name, value, allowed in (("bits", bits, all_bits), ("group_size", group_size, all_groups)):
        if type(value) is not int or value not in allowed:
            raise InvalidRequestError(
                f"[quantize] {name} is {value!r}, which mode {mode!r} does not have; give "
                f"{_any_of(allowed)}."
            )
    return QuantizeOptions(Setting(group_size, bits, mode), recipe)


def settings_of(
    options: QuantizeOptions, matrices: Sequence[Matrix], layers: int, model_type: str
) -> tuple[dict[str, Setting], dict[str, Any]]:
    """How each matrix is quantized, and config.json's block that says so.

    Args:
        options: what is asked for.
        matrices: the model's.
        layers: number of its decoder layers.
        model_type: of config.json.

    Returns:
        Settings by module, without those that stay float, such as where groups do not divide the
        columns; and the block.
    """
    general = options.setting
    settings: dict[str, Setting] = {}
    block: dict[str, Any] = asdict(general)
    special = _Mixed(options, matrices, layers) if options.recipe else _EightBits(model_type)
    floats = _FLOAT.get(model_type, ())
    for one in matrices:
        if one.columns % general.group_size or one.module.endswith(floats or _NONE):
            continue
        own = special.entry(one.module)
        setting = Setting(**own) if own else general
        if one.columns % setting.group_size:
            continue
        settings[one.module] = setting
        if own:
            block[one.module] = own
    return settings, block


class _EightBits:
    def __init__(self, model_type: str) -> None:
        self._endings = _EIGHT_BITS.get(model_type, ())

    def entry(self, module: str) -> dict[str, Any] | None:
        return dict(_EIGHT) if module.endswith(self._endings or _NONE) else None


class _Mixed:
    """More bits for the head, and in the first and last eighth of the layers and each third layer
    between them for value and down projections."""

    def __init__(self, options: QuantizeOptions, matrices: Sequence[Matrix], layers: int) -> None:
        assert options.recipe is not None
        self._low, self._high = RECIPES[options.recipe]
        self._group_size = options.setting.group_size
        self._layers = layers
        down = next((one.module for one in matrices if "down_proj" in one.module), "")
        parts = down.split(".")
        self._place = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts))

    def entry(self, module: str) -> dict[str, Any]:
        parts = module.split(".")
        number = parts[self._place] if len(parts) > self._place else "0"
        layer = int(number) if number.isdigit() else 0
        eighth = self._layers // 8
        matters = (
            layer < eighth or layer >= 7 * self._layers // 8 or (layer - eighth) % 3 == 2
        ) and any(name in module for name in _SENSITIVE)
        bits = self._high if matters or "lm_head" in module else self._low
        return {"group_size": self._group_size, "bits": bits, "mode": "affine"}


def _any_of(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last
