"""Ours against llama.cpp and mlx-lm, on this machine: one command, one table.

    python bench/compare.py --quick             # under 10 minutes on 2 cores
    python bench/compare.py --full --data DIR   # all geometries; hours, and 60 GB in DIR
    python bench/compare.py --rows FILE --show  # the table of rows that were kept

Each sample is a fresh process; the engines take turns. The rows are written to --rows after each
sample, so a run that was interrupted, or was given a --budget, goes on where the file ends.
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

from comparison import page, plan, provenance, store, table
from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS
from comparison.measure import Patience, measure_alone
from comparison.presence import device, missing
from comparison.progress import tell
from comparison.row import Row, UnlikeRowsError, check_same_run

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="the 1B geometry alone (default)")
    size.add_argument("--full", action="store_true", help="all geometries, 16384 tokens too")
    parser.add_argument("--geometry", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--engine", nargs="+", metavar="NAME", help="ours and these alone")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many")
    parser.add_argument("--threads", type=int, default=provenance.machine()["cores"], metavar="N")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the checkpoints here")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="default: results/DATE.json")
    parser.add_argument(
        "--alone",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="measure again where others took more of the cores (default: 0.1)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=90,
        metavar="SECONDS",
        help="for measuring again, in all (default: 90)",
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="begin nothing after these")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    return parser.parse_args()


def chosen(given: argparse.Namespace) -> list[plan.Sample]:
    """The samples of this run, in order."""
    where = device()
    absent = missing(where)
    for engine, why in absent.items():
        tell(f"{engine} is left out: {why}")
    engines = {"ours", *(given.engine or (one.engine for one in CONTENDERS))} - absent.keys()
    return [
        sample
        for sample in plan.samples(
            plan.FULL if given.full else plan.QUICK,
            [one for one in CONTENDERS if one.engine in engines],
            slow=("mlx_lm",) if where == "cpu" else (),
        )
        if (not given.geometry or sample.geometry in given.geometry)
        and (not given.case or sample.case.name in given.case)
        and (given.rounds is None or sample.round < given.rounds)
    ]


@contextmanager
def folder(given: Path | None) -> Iterator[Path]:
    """Where checkpoints go: kept where a folder is named."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="convergio-bench-") as made:
        yield Path(made)


def run(given: argparse.Namespace, path: Path, rows: list[Row]) -> None:
    """Measures what is not among the rows yet, and adds it there and in the file."""
    check_same_run(rows, provenance.machine(), provenance.versions(), provenance.commit())
    done = {(row.geometry, row.case, row.engine, row.format, row.round) for row in rows}
    todo = [sample for sample in chosen(given) if sample.key not in done]
    start = time.monotonic()
    with folder(given.data) as data:
        checkpoints = Checkpoints(data)
        patience = Patience(given.alone, given.patience)
        for number, sample in enumerate(todo):
            seconds = time.monotonic() - start
            if given.budget is not None and seconds > given.budget:
                tell(f"{len(todo) - number} samples are left; run it again.")
                break
            tell(f"{seconds:4.0f} s  {number + 1}/{len(todo)}  {sample}")
            rows.append(measure_alone(sample, checkpoints, given.threads, patience))
            store.write(path, rows)


def main() -> None:
    given = arguments()
    path = given.rows or RESULTS / f"{time.strftime('%Y-%m-%d')}.json"
    rows = store.read(path)
    try:
        if not given.show:
            run(given, path, rows)
        print(table.render(rows))
    except UnlikeRowsError as error:
        sys.exit(str(error))
    if given.page:
        page.insert(given.page, table.render(rows))
    if given.plots:
        from comparison.plots import plot

        for made in plot(rows, given.plots):
            tell(str(made))
    if rows and rows[-1].found["energy_joules"] is None:
        tell("The energy is not known: it takes root, on macOS or with RAPL.")
    tell(f"{len(rows)} rows in {path}")


if __name__ == "__main__":
    main()
