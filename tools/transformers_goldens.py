"""Computes transformers' logits for every variant of every row: tests/golden/.

Needs torch and transformers, in the versions that the file's metadata names; the tests that compare
with the result need neither.

    python tools/transformers_goldens.py           writes tests/golden/transformers.safetensors
    python tools/transformers_goldens.py --check   computes them again and compares
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
from arch.variants import LENGTH, VARIANTS, Variant  # noqa: E402
from golden.logits import FILE, GOLDEN_ROWS, golden  # noqa: E402

REPEATABLE = 2e-5
"""How far two machines' float32 sums may lie apart."""


def compute(variant: Variant) -> np.ndarray[Any, Any]:
    """The last GOLDEN_ROWS rows of logits, (GOLDEN_ROWS, vocab_size), float32, eager attention."""
    import torch
    from transformers import AutoModelForCausalLM

    config = variant.config
    tokens = checkpoints.tokens(config, LENGTH)
    with tempfile.TemporaryDirectory() as scratch:
        folder = checkpoints.write(Path(scratch), config)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    faults = {key: names for key, names in found.items() if names}
    if faults:
        raise SystemExit(f"[goldens] {variant.name}: the tensors don't fit transformers': {faults}")
    with torch.inference_mode():
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0, -GOLDEN_ROWS:]
    return np.asarray(logits.numpy(), dtype=np.float32)


def main() -> None:
    """Writes or checks the file."""
    import torch
    import transformers

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file; write nothing")
    check = parser.parse_args().check
    transformers.logging.set_verbosity_error()
    computed = {v.name: compute(v) for v in VARIANTS if not v.not_transformers}
    if check:
        wanted = {v.name: golden(v) for v in VARIANTS if not v.not_transformers}
        apart = {name: float(np.abs(computed[name] - wanted[name]).max()) for name in wanted}
        print(f"{len(apart)} variants, at most {max(apart.values()):.1e} apart")
        raise SystemExit(int(max(apart.values()) > REPEATABLE))
    checkpoints.save(
        FILE,
        {name: checkpoints.Tensor("F32", logits) for name, logits in computed.items()},
        torch=torch.__version__,
        transformers=transformers.__version__,
        **{v.name: checkpoints.fingerprint(v.config) for v in VARIANTS},
    )
    print(f"{FILE}: {len(computed)} variants, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
