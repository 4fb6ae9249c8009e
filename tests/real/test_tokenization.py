"""The real model's vocabulary, out of its GGUF file, against llama.cpp.

The ids are llama.cpp's (tools/llama_cpp_goldens.py), of the same file.
"""

from __future__ import annotations

import json
from pathlib import Path

from convergio_mlx.text.tokenizer import Tokenizer

GOLDENS = Path(__file__).parents[1] / "golden" / "smollm2_tokens.json"


def test_odd_strings_have_llama_cpps_ids_and_come_back(real_model: Path) -> None:
    tokenizer = Tokenizer.from_folder(str(real_model))
    goldens = json.loads(GOLDENS.read_text(encoding="utf-8"))
    assert len(goldens) == 500
    for text, ids in goldens.items():
        assert tokenizer.encode(text) == ids, text
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
