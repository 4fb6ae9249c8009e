"""Computes transformers' logits for every variant of every row: tests/golden/.

Needs torch and transformers, in the versions that the file's metadata names; the tests that compare
with the result need neither.

    python tools/transformers_goldens.py [ROW …]           writes tests/golden/ROW.safetensors
    python tools/transformers_goldens.py --check [ROW …]   computes them again and compares

Without a row, of all rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import checkpoints  # noqa: E402
from arch.variants import LENGTH, VARIANTS, Variant, rows  # noqa: E402
from golden.logits import GOLDEN_ROWS, file_of, golden  # noqa: E402
from golden.published import MODEL_TYPES, as_transformers  # noqa: E402

REPEATABLE = 2e-5
"""How far two machines' float32 sums may lie apart."""


def compute(variant: Variant) -> np.ndarray[Any, Any]:
    """The last GOLDEN_ROWS rows of logits, (GOLDEN_ROWS, vocab_size), float32, eager attention."""
    import torch
    from transformers import AutoModelForCausalLM

    config = variant.config
    tokens = checkpoints.tokens(config, LENGTH)
    with tempfile.TemporaryDirectory() as scratch:
        weights = as_transformers(config["model_type"], checkpoints.weights(config))
        content = {name: checkpoints.stored(value, "F32") for name, value in weights.items()}
        said = {**config, "model_type": MODEL_TYPES.get(variant.row, config["model_type"])}
        folder = checkpoints.write(Path(scratch), said, content=content)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    faults = {key: names for key, names in found.items() if names}
    if faults:
        raise SystemExit(f"[goldens] {variant.name}: the tensors don't fit transformers': {faults}")
    with torch.inference_mode():
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0, -GOLDEN_ROWS:]
    return np.asarray(logits.numpy(), dtype=np.float32)


def write(row: str, computed: dict[str, np.ndarray[Any, Any]]) -> None:
    """Writes the file of a row."""
    import torch
    import transformers

    checkpoints.save(
        file_of(row),
        {name: checkpoints.Tensor("F32", logits) for name, logits in computed.items()},
        torch=torch.__version__,
        transformers=transformers.__version__,
        **{v.name: checkpoints.fingerprint(v.config) for v in VARIANTS if v.name in computed},
    )
    print(f"{file_of(row)}: {len(computed)} variants, {file_of(row).stat().st_size} bytes")


def main() -> None:
    """Writes or checks the files."""
    import transformers

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files; write none")
    parser.add_argument("row", nargs="*", choices=[[], *rows()], help="model types; all if none")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    most = 0.0
    for row in args.row or rows():
        variants = [v for v in VARIANTS if v.row == row and not v.not_transformers]
        computed = {v.name: compute(v) for v in variants}
        if not args.check:
            write(row, computed)
            continue
        apart = max(float(np.abs(computed[v.name] - golden(v)).max()) for v in variants)
        print(f"{row}: {len(variants)} variants, at most {apart:.1e} apart")
        most = max(most, apart)
    raise SystemExit(int(most > REPEATABLE))


if __name__ == "__main__":
    main()
