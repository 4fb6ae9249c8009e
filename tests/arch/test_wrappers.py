"""Text models inside multimodal checkpoints: config.json's text_config, every published spelling of
the tensors' names, and what of a checkpoint is no text model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.footprint import folder_footprint
from convergio_mlx.text.model_folder import ModelFolder
from convergio_mlx.text.tokenizer_config import end_ids

ROW = "gemma3_text"
TEXT: dict[str, Any] = {**tiny(ROW), "tie_word_embeddings": False}
WRAPPED: dict[str, Any] = {"model_type": "gemma3", "text_config": TEXT, "vision_config": {}}
SPELLINGS = {
    "mlx": ("language_model.model.", "language_model.lm_head"),
    "transformers": ("model.language_model.", "lm_head"),
    "head outside": ("language_model.model.", "lm_head"),
    "bare": ("language_model.", "language_model.lm_head"),
    "plain": ("model.", "lm_head"),
}
OTHER_PARTS = (
    "vision_tower.encoder.0.weight",
    "model.vision_tower.encoder.0.input_max",
    "model.visual.blocks.0.attn.qkv.bias",
    "visual.merger.weight",
    "audio_tower.conv.weight",
    "multi_modal_projector.linear_1.weight",
    "mm_projector.proj.0.weight",
    "model.embed_vision.embedding_projection.weight",
    "model.embed_audio.embedding_projection.weight",
    "vision_embedder.patch.weight",
    "mtp.layers.0.mlp.up_proj.weight",
    "language_model.mtp.fc.weight",
    "model.mtp_block.0.mlp.up_proj.weight",
)


def spelled(prefix: str, head: str) -> dict[str, checkpoints.Tensor]:
    def name(old: str) -> str:
        return old.replace("lm_head", head) if "lm_head" in old else prefix + old[len("model.") :]

    return {name(old): tensor for old, tensor in checkpoints.tensors(TEXT).items()}


def logits(folder: Path) -> np.ndarray[Any, Any]:
    with cm.Engine.load(folder) as engine:
        assert engine.model_type == ROW
        return np.asarray(engine.logits(checkpoints.tokens(TEXT, 12)))


def test_every_spelling_is_the_same_model(tmp_path: Path) -> None:
    flat = logits(checkpoints.write(tmp_path / "flat", TEXT))
    for name, spelling in SPELLINGS.items():
        folder = checkpoints.write(tmp_path / name, WRAPPED, content=spelled(*spelling))
        np.testing.assert_array_equal(logits(folder), flat, err_msg=name)


def test_other_parts_are_skipped_and_not_counted(tmp_path: Path) -> None:
    content = spelled(*SPELLINGS["transformers"])
    needed = sum(tensor.data.nbytes for tensor in content.values())
    extra = checkpoints.Tensor("F32", np.zeros((8, 8), np.float32))
    folder = checkpoints.write(
        tmp_path / "whole", WRAPPED, content={**content, **dict.fromkeys(OTHER_PARTS, extra)}
    )
    with cm.Engine.load(folder) as engine:
        assert engine.weight_bytes == needed


def test_what_belongs_to_no_part_is_an_error(tmp_path: Path) -> None:
    content = spelled(*SPELLINGS["mlx"])
    content["language_model.model.visions.weight"] = content["language_model.model.norm.weight"]
    folder = checkpoints.write(tmp_path / "odd", WRAPPED, content=content)
    with pytest.raises(ModelCorruptError, match=r"'language_model\.model\.visions\.weight' is not"):
        cm.Engine.load(folder)


def test_the_text_config_names_the_row() -> None:
    """The wrapper's model type where text_config has none; tie_word_embeddings of either."""
    nameless = {key: value for key, value in TEXT.items() if key != "model_type"}
    geometry = native().geometry(json.dumps({**WRAPPED, "text_config": nameless}).encode())
    assert geometry.model_type == ROW
    del nameless["tie_word_embeddings"]
    for tied in (True, False):
        config = {**WRAPPED, "text_config": nameless, "tie_word_embeddings": tied}
        assert native().geometry(json.dumps(config).encode()).tied is tied


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        (
            {"text_config": {"model_type": "newmodel"}},
            UnsupportedModelError,
            "[config] config.json: 'model_type' is the string \"newmodel\"; supported model types",
        ),
        (
            {"text_config": 7},
            ModelCorruptError,
            "[json] config.json: 'text_config' must be an object but is the integer 7; correct the "
            "file or download it again.",
        ),
        (
            {"text_config": {**TEXT, "hidden_size": 0}},
            ModelCorruptError,
            "[config] config.json: 'text_config.hidden_size' is the integer 0, which must be from "
            "1 to 4194304; download the model again or correct the file.",
        ),
    ],
)
def test_faults_of_a_text_config(
    changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        native().geometry(json.dumps({**WRAPPED, **changes}).encode())
    assert str(caught.value).startswith(sentence)


def test_python_reads_the_text_config_too(tmp_path: Path) -> None:
    config = {**WRAPPED, "text_config": {**TEXT, "eos_token_id": [1, 106], "dtype": "float32"}}
    folder = checkpoints.write(tmp_path / "whole", config, content=spelled(*SPELLINGS["mlx"]))
    assert end_ids(ModelFolder(folder)) == {1, 106}
    footprint = folder_footprint(folder)
    assert footprint is not None
    assert footprint.activation_bytes == 4
