"""A fresh process for each sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[1]


def launch(engine: str, job: dict[str, Any]) -> dict[str, Any]:
    """Starts `engine`'s process, has it do `job`, and returns what it measured.

    Raises:
        RuntimeError: it failed; carries the end of what it said.
    """
    paths = [str(BENCH), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = str(job["threads"])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "CONVERGIO_MLX_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-m", f"comparison.subjects.{engine}"]
    started = time.monotonic()
    done = subprocess.run(
        command,
        input=json.dumps(job) + "\n",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"[bench] {' '.join(command[1:])} ended with code {done.returncode}; it said:\n"
            f"{done.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    first = found["first_turn"]["first_token_at"]
    found["process_to_first_token_seconds"] = first - started
    return found
