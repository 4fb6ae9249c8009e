"""mlx-lm's `convert` as a reference: the tensors and the config that it would save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx


def converted(
    folder: Path, *, recipe: str | None = None, **options: Any
) -> tuple[dict[str, mx.array], dict[str, Any]]:
    """The tensors and config.json of a folder that mlx-lm quantized.

    Args:
        folder: the source.
        recipe: its `quant_predicate`.
        options: `group_size`, `bits` and `mode` of its `quantize_model`.
    """
    from mlx.utils import tree_flatten, tree_map_with_path
    from mlx_lm.convert import MODEL_CONVERSION_DTYPES, mixed_quant_predicate_builder
    from mlx_lm.utils import load_model, quantize_model

    model, config = load_model(folder, lazy=True)
    name = config.get("torch_dtype")
    if name in MODEL_CONVERSION_DTYPES:
        dtype = getattr(mx, name)
        is_cast = getattr(model, "cast_predicate", lambda _: True)
        cast = tree_map_with_path(
            lambda path, one: one.astype(dtype) if is_cast(path) else one, model.parameters()
        )
        model.update(cast)
    group_size = options.pop("group_size", None)
    predicate = recipe and mixed_quant_predicate_builder(recipe, model, group_size or 64)
    bits = options.pop("bits", None)
    model, config = quantize_model(
        model, config, group_size, bits, quant_predicate=predicate, **options
    )
    for name in ("_name_or_path", "vision_config"):  # as its `save_config` does
        config.pop(name, None)
    return dict(tree_flatten(model.parameters())), config
