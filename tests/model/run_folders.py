"""A process of its own, as the kernels are chosen once: `run_folders.py NAME FOLDER…` writes
each folder's logits to FOLDER/<NAME>-<chunk>.npy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import checkpoints
import convergio_mlx as cm
from model.quantizations import LENGTH


def main() -> None:
    for folder in map(Path, sys.argv[2:]):
        config = json.loads((folder / "config.json").read_text())
        tokens = checkpoints.tokens(config, LENGTH)
        with cm.Engine.load(folder) as engine:
            for chunk in (512, 1, 7):
                logits = np.asarray(engine.logits(tokens, chunk=chunk))
                np.save(folder / f"{sys.argv[1]}-{chunk}.npy", logits)


if __name__ == "__main__":
    main()
