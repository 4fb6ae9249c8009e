"""Rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from comparison.contender import Contender
from comparison.lines import lines
from comparison.row import Row
from comparison.statistic import Figure


def render(rows: Sequence[Row]) -> str:
    """Medians with the lowest and highest sample, and by how much ours is better.

    Raises:
        UnlikeRowsError: rows to be compared are of unlike machines, options or versions.
    """
    out: list[str] = []
    before: tuple[str, str] | None = None
    columns: list[Contender] = []
    for line in lines(rows):
        if (line.geometry, line.case) != before:
            before = (line.geometry, line.case)
            columns = list(line.figures)
            names = [f"{one.name} ({one.bits_per_weight:g} b)" for one in columns]
            names += [f"ours / {one.name}" for one in columns if one.engine != "ours"]
            job = next(row.job for row in rows if (row.geometry, row.case) == before)
            warm = "after a warm-up" if job["warm_up"] else "no warm-up"
            out += [
                f"\n### {line.geometry}, {line.case}: {job['prompt']} tokens, then "
                f"{job['answer']}; {warm}\n",
                f"| | {' | '.join(names)} |",
                "|---|" + "---:|" * len(names),
            ]
        cells = [_cell(line.figures.get(one), line.measure.digits) for one in columns]
        cells += [_ratio(line.ratios.get(one)) for one in columns if one.engine != "ours"]
        out.append(f"| {line.measure.title} | {' | '.join(cells)} |")
    if not out:
        return "No rows.\n"
    return "\n".join([provenance(rows[-1]), *out]) + "\n"


def provenance(row: Row) -> str:
    """Where and of what the figures are."""
    machine = row.machine
    where = [machine["processor"], f"{machine['cores']} cores", machine["system"]]
    if machine["gpu"]:
        where.append(machine["gpu"])
    packages = ", ".join(f"{name} {version}" for name, version in row.versions.items())
    variables = "".join(f", {name}={value}" for name, value in row.environment.items())
    return (
        f"{', '.join(where)}; {row.job['threads']} threads, on {row.device}; commit {row.commit}, "
        f"{packages}{variables}; {row.at[:10]}. Medians (lowest–highest) of fresh processes that "
        "took turns; b: bits a weight; ratios above 1: ours is better."
    )


def _cell(figure: Figure | None, digits: int) -> str:
    if figure is None:
        return ""
    median = f"{figure.median:.{digits}f}"
    if figure.samples == 1:
        return median
    return f"{median} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"
