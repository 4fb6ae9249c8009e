"""A program: how far a model's logits lie from the golden ones; prints JSON.

    python teacher_forced.py FOLDER

The environment chooses the kernels, which is why it is a program of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import convergio_mlx as cm
from golden.real import ANSWER, divergence, goldens, prompts


def main() -> None:
    """For each prompt its kind, how many best tokens are the same, and the divergence."""
    found = []
    with cm.Engine.load(sys.argv[1]) as engine:
        for prompt, golden in zip(prompts(), goldens(), strict=True):
            rows = np.asarray(engine.logits(golden.tokens[:-1]))[-ANSWER:]
            found.append(
                {
                    "kind": prompt["kind"],
                    "same": int((rows.argmax(-1) == golden.top[:, 0]).sum()),
                    "divergence": float(divergence(golden, rows).mean()),
                    "largest": float(divergence(golden, rows).max()),
                }
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
