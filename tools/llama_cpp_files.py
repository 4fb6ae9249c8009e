"""Makes GGUF files of tiny models with llama.cpp's own script: tests/golden/gguf.

    python tools/llama_cpp_files.py SCRIPT [CASE …]           writes tests/golden/gguf/CASE.gguf
    python tools/llama_cpp_files.py SCRIPT --check [CASE …]   makes them again and compares

SCRIPT is convert_hf_to_gguf.py of the llama.cpp that llama-cpp-python of bench/requirements.txt has
in its source; it needs torch, transformers and sentencepiece. Without a CASE, of all cases. The
script knows a byte-pair vocabulary by a hash of what it encodes; these are none of those that it
knows, so the name of the pre-tokenizer is given instead. All else is the script's own.

How each vocabulary's own tokenizer encodes odd strings goes into tests/golden/gguf/tokens.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
sys.path[:0] = [str(HERE), str(TESTS)]

import checkpoints  # noqa: E402
from convert.llama_cpp_cases import BY_NAME, CASES, FOLDER, TOKENS, Case  # noqa: E402
from gguf_vocabularies import odd_strings  # noqa: E402
from golden.published import published  # noqa: E402
from tiny_vocabularies import VOCABULARIES  # noqa: E402

STRINGS = 60
"""Of each vocabulary."""


def convert(script: Path, case: Case, folder: Path, out: Path) -> None:
    """Runs the script on a folder, in this process."""
    sys.path[:0] = [str(script.parent), str(script.parent / "gguf-py")]
    import convert_hf_to_gguf
    from conversion.base import TextModel

    def known(model: Any, tokenizer: Any) -> str | None:
        return case.pre

    if case.pre is not None:
        TextModel.get_vocab_base_pre = known
    named = ["--outtype", "f32", "--model-name", case.name, "--outfile", str(out)]
    named += ["--no-mtp"] * case.drafts
    sys.argv = [str(script), str(folder), *named]
    convert_hf_to_gguf.main()


def make(script: Path, case: Case, scratch: Path) -> tuple[bytes, dict[str, list[int]]]:
    """The file of a case, and what its vocabulary's own tokenizer makes of odd strings."""
    config, content = published(case.whole)
    folder = checkpoints.write(scratch / "source", config, content=content)
    written = VOCABULARIES[case.vocabulary].write(folder, case.config["vocab_size"])
    out = scratch / f"{case.name}.gguf"
    arguments = (script, case, folder, out)
    process = multiprocessing.get_context("fork").Process(target=convert, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"[files] the script failed on '{case.name}'; what it said is above.")
    # the script writes tokens of "▁" as spaces; a text's own "▁" is then no such token
    absent = "\0▁" if any("▁" in text for text in written.special) else "\0"
    strings = (
        text for text in odd_strings(written.special, STRINGS) if not set(absent) & set(text)
    )
    return out.read_bytes(), {text: written.encode(text) for text in strings}


def main() -> None:
    """Writes or checks the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="convert_hf_to_gguf.py")
    parser.add_argument("--check", action="store_true", help="compare with the files; write none")
    parser.add_argument("case", nargs="*", choices=[[], *BY_NAME], help="files; all if none")
    arguments = parser.parse_intermixed_args()
    tokens = json.loads(TOKENS.read_text(encoding="utf-8")) if TOKENS.exists() else {}
    other = []
    for case in [BY_NAME[name] for name in arguments.case] or CASES:
        with tempfile.TemporaryDirectory() as scratch:
            data, encoded = make(arguments.script.resolve(), case, Path(scratch))
        same = case.path.exists() and case.path.read_bytes() == data
        if not same or tokens.get(case.vocabulary) != encoded:
            other.append(case.name)
        if not arguments.check:
            FOLDER.mkdir(exist_ok=True)
            case.path.write_bytes(data)
            tokens[case.vocabulary] = encoded
        print(f"{case.name}: {len(data)} bytes")
    if not arguments.check:
        lines = [f"{json.dumps(name)}: {json.dumps(tokens[name])}" for name in sorted(tokens)]
        TOKENS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return
    print(f"differ: {', '.join(other) or 'none'}")
    raise SystemExit(int(bool(other)))


if __name__ == "__main__":
    main()
