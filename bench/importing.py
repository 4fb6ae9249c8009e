"""Importing a GGUF file of a true geometry: megabytes of it a second, and the most memory.

    python bench/importing.py --scratch DIR [--geometry llama-3.2-1b] [--kind Q4_K_M] [--rounds 5]

Each round converts the file in a process of its own, and beside it copies it and takes its
SHA-256, which is the least that an import could do. Both begin with the file out of the system's
cache and end when what was written is on the disk. Medians are printed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from comparison import gguf_file
from comparison.geometry import GEOMETRIES
from fabricate import forget

CONVERT = """
import json, os, resource, sys, time
from pathlib import Path
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
unit = 1 if sys.platform == "darwin" else 1024
begin, spent = time.perf_counter(), time.process_time()
convert_gguf(sys.argv[1], Path(sys.argv[2]))
os.sync()
seconds, spent = time.perf_counter() - begin, time.process_time() - spent
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps({"seconds": seconds, "processor_seconds": spent, "peak_bytes": peak}))
"""
COPY = """
import hashlib, json, os, sys, time
begin = time.perf_counter()
whole = hashlib.sha256()
with open(sys.argv[1], "rb") as file, open(sys.argv[2], "wb") as out:
    while piece := file.read(1 << 20):
        whole.update(piece)
        out.write(piece)
os.sync()
print(json.dumps({"seconds": time.perf_counter() - begin}))
"""


def timed(program: str, source: Path, target: Path) -> dict[str, float]:
    """What a process of its own prints; what it writes is removed again."""
    forget(source)
    command = [sys.executable, "-c", program, str(source), str(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Prints the medians of all rounds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, required=True, help="room for the file twice")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="llama-3.2-1b")
    parser.add_argument(
        "--kind", choices=[*gguf_file.FORMATS, gguf_file.MIXED], default=gguf_file.MIXED
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    source = options.scratch / f"{options.geometry}-{options.kind}.gguf"
    gguf_file.write(source, GEOMETRIES[options.geometry], options.kind)
    size = source.stat().st_size
    try:
        rounds = [
            (
                timed(CONVERT, source, options.scratch / "converted"),
                timed(COPY, source, options.scratch / "copied"),
            )
            for _ in range(options.rounds)
        ]
    finally:
        source.unlink()
    median = statistics.median
    result = {
        "file_bytes": size,
        "mb_a_second": round(median(size / 1e6 / row["seconds"] for row, _ in rounds)),
        "mb_a_processor_second": round(
            median(size / 1e6 / row["processor_seconds"] for row, _ in rounds)
        ),
        "copying_mb_a_second": round(median(size / 1e6 / row["seconds"] for _, row in rounds)),
        "peak_bytes": median(row["peak_bytes"] for row, _ in rounds),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
