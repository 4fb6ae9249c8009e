"""From the shell to the first token: what a fresh process costs, and where its time goes.

    python bench/startup.py [--runs N] [--json FILE]

Each figure is the median of several fresh processes, taken in turn so that a busy moment of the
machine meets all of them, and the fastest beside it. `first token` is the time from starting
`convergio-mlx chat Hello` until the first byte of its answer can be read; the parts are what
`--json` of the same question says, and what is left is the interpreter and the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

CHAT = [sys.executable, "-m", "convergio_mlx", "chat", "Hello"]
PROCESSES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import convergio_mlx": [sys.executable, "-c", "import convergio_mlx"],
    "convergio-mlx --version": [sys.executable, "-m", "convergio_mlx", "--version"],
    "first token of chat Hello": CHAT,
}
PARTS = ("load", "template", "tokenize", "queue", "prefill")


def first_byte_seconds(command: list[str]) -> float:
    """Seconds from the start of a process to its first byte of output, or to its end."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        seconds = time.perf_counter() - start
        process.stdout.read()
    if process.returncode:
        sys.exit(f"{command} ended with code {process.returncode}")
    return seconds


def parts_milliseconds() -> dict[str, float]:
    """What one process says of itself."""
    found = subprocess.run([*CHAT, "--json"], stdout=subprocess.PIPE, check=True)
    timings = json.loads(found.stdout)["timings"]
    return {name: timings[f"{name}_seconds"] * 1e3 for name in PARTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows: dict[str, list[float]] = {name: [] for name in PROCESSES}
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    for run in range(arguments.runs + 1):
        times = {name: first_byte_seconds(command) * 1e3 for name, command in PROCESSES.items()}
        split = parts_milliseconds()
        if run == 0:  # fills the page cache and writes the .pyc files
            continue
        for name, value in times.items():
            rows[name].append(value)
        for name, value in split.items():
            parts[name].append(value)
    load = os.getloadavg()[0]
    print(f"{arguments.runs} fresh processes each, {os.cpu_count()} cores, load {load:.1f}, in ms")
    print(f"{'':28}{'median':>8}{'fastest':>9}")
    for name, values in rows.items():
        print(f"{name:28}{statistics.median(values):8.1f}{min(values):9.1f}")
    for name, values in parts.items():
        print(f"  {name:26}{statistics.median(values):8.1f}{min(values):9.1f}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"load_average": load, "processes_ms": rows, "parts_ms": parts}, file)


if __name__ == "__main__":
    main()
