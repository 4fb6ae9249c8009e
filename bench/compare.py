"""Ours against llama.cpp and mlx-lm, on this machine: one command, one table.

    python bench/compare.py --quick            # under 10 minutes on 2 cores
    python bench/compare.py --full --data DIR  # all geometries; needs 30 GB in DIR

Each sample is a fresh process; the engines take turns. The rows are written to --rows after each
sample: a run that was interrupted, or was given a --budget, goes on where the file ends.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from comparison import plan, provenance, store, table
from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS
from comparison.measure import measure
from comparison.row import Row

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="the 1B geometry alone (default)")
    size.add_argument("--full", action="store_true", help="all geometries, 16384 tokens too")
    parser.add_argument("--geometry", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--engine", nargs="+", metavar="NAME", help="ours and these alone")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of the plan's")
    parser.add_argument("--threads", type=int, default=provenance.machine()["cores"], metavar="N")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep checkpoints here")
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="default: bench/results/DATE.json"
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="begin nothing after these")
    return parser.parse_args()


def chosen(given: argparse.Namespace) -> list[plan.Sample]:
    """The samples of this run, in order."""
    cases = plan.FULL if given.full else plan.QUICK
    slow = ("mlx_lm",) if device() == "cpu" else ()
    engines = {"ours", *(given.engine or (one.engine for one in CONTENDERS))}
    contenders = [one for one in CONTENDERS if one.engine in engines]
    return [
        sample
        for sample in plan.samples(cases, contenders, slow)
        if (not given.geometry or sample.geometry in given.geometry)
        and (not given.case or sample.case.name in given.case)
        and (given.rounds is None or sample.round < given.rounds)
    ]


def device() -> str:
    """Where MLX computes here."""
    from convergio_mlx.native import native

    return str(native().backend())


@contextmanager
def folder(given: Path | None) -> Iterator[Path]:
    """Where checkpoints go: kept where a folder is named."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="convergio-bench-") as made:
        yield Path(made)


def key(row: Row) -> tuple[str, str, str, str, int]:
    return row.geometry, row.case, row.engine, row.format, row.round


def main() -> None:
    given = arguments()
    path = given.rows or RESULTS / f"{time.strftime('%Y-%m-%d')}.json"
    rows = store.read(path)
    done = {key(row) for row in rows}
    todo = [
        s
        for s in chosen(given)
        if (s.geometry, s.case.name, s.contender.engine, s.contender.format, s.round) not in done
    ]
    end = time.monotonic() + (given.budget or 1e9)
    with folder(given.data) as data:
        checkpoints = Checkpoints(data)
        for number, sample in enumerate(todo, start=1):
            if time.monotonic() > end:
                print(f"{len(todo) - number + 1} samples are left; run it again.", file=sys.stderr)
                break
            what = f"{sample.geometry} {sample.case.name} {sample.contender.name} {sample.round}"
            print(f"[{number}/{len(todo)}] {what}", file=sys.stderr, flush=True)
            rows.append(measure(sample, checkpoints, given.threads, device()))
            store.write(path, rows)
    print(table.render(rows))
    print(f"{len(rows)} rows in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
