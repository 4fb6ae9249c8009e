"""A process of its own, as the kernels are chosen once: `run_folders.py FOLDER…` writes each
folder's logits to FOLDER/<kernels>-<chunk>.npy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import checkpoints
import numpy as np
from quantizations import LENGTH

import convergio_mlx as cm


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        config = json.loads((folder / "config.json").read_text())
        tokens = checkpoints.tokens(config, LENGTH)
        with cm.Engine.load(folder) as engine:
            for chunk in (512, 1, 7):
                logits = np.asarray(engine.logits(tokens, chunk=chunk))
                np.save(folder / f"{os.environ['CONVERGIO_MLX_ISA']}-{chunk}.npy", logits)


if __name__ == "__main__":
    main()
