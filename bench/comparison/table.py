"""Rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from comparison.contender import CONTENDERS, Contender
from comparison.lines import Line, lines
from comparison.row import Row
from comparison.statistic import Figure

SUMMARY = ("decode, tokens/s", "prefill, tokens/s", "second turn's first token, ms")
"""Measures whose ratios are told of a conversation."""
SUMMARY_OF_A_START = (
    "process to first token, ms",
    "load, tokenizer included, ms",
    "peak resident, MB",
)


def render(rows: Sequence[Row]) -> str:
    """All of it: where it was measured, the ratios, then each case's medians with the lowest and
    the highest sample.

    Raises:
        UnlikeRowsError: rows to be compared are of unlike machines, options or versions.
    """
    found = list(lines(rows))
    if not found:
        return "No rows.\n"
    jobs = {(row.geometry, row.case): row.job for row in rows}
    parts = [provenance(rows[-1]), *company(rows), *ratios(found)]
    for (geometry, case), job in jobs.items():
        warm = "after a warm-up" if job["warm_up"] else "no warm-up"
        tokens = f"{job['prompt']} tokens, then {job['answer']}"
        parts.append(f"\n### {geometry}, {case}: {tokens}; {warm}\n")
        parts += _case([one for one in found if (one.geometry, one.case) == (geometry, case)])
    return "\n".join(parts) + "\n"


def ratios(found: Sequence[Line]) -> list[str]:
    """How many times as good ours is, at a glance."""
    others = [one for one in CONTENDERS if any(one in line.ratios for line in found)]
    if not others:
        return []
    out = [
        "\n### Ours, times as good\n",
        f"| | {' | '.join(f'than {_titled(one)}' for one in others)} |",
        "|---|" + "---:|" * len(others),
    ]
    for line in found:
        wanted = SUMMARY_OF_A_START if "start" in line.case else SUMMARY
        if line.measure.title in wanted and line.ratios:
            cells = [_ratio(line.ratios.get(one)) for one in others]
            name = f"{line.geometry}, {line.case}: {line.measure.title}"
            out.append(f"| {name} | {' | '.join(cells)} |")
    return out


def _case(found: Sequence[Line]) -> list[str]:
    columns = list(found[0].figures)
    others = [one for one in columns if one.engine != "ours"]
    names = [*map(_titled, columns), *(f"ours / {one.name}" for one in others)]
    out = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for line in found:
        cells = [_cell(line.figures.get(one), line.measure.digits) for one in columns]
        cells += [_ratio(line.ratios.get(one)) for one in others]
        out.append(f"| {line.measure.title} | {' | '.join(cells)} |")
    return out


def _titled(one: Contender) -> str:
    return f"{one.name} ({one.bits} b)"


def provenance(row: Row) -> str:
    """Where and of what the figures are."""
    machine = row.machine
    where = [machine["processor"], f"{machine['cores']} cores", machine["system"]]
    if machine["gpu"]:
        where.append(machine["gpu"])
    packages = ", ".join(f"{name} {version}" for name, version in sorted(row.versions.items()))
    variables = "".join(f", {name}={value}" for name, value in row.environment.items())
    return (
        f"{', '.join(where)}; {row.job['threads']} threads, on {row.device}; commit {row.commit}, "
        f"{packages}{variables}; {row.at[:10]}. Medians (lowest–highest) of fresh processes that "
        "took turns; b: bits a weight; ratios above 1: ours is better."
    )


def company(rows: Sequence[Row]) -> list[str]:
    """How much of the machine others took, where that is known."""
    shares = [row.found["others_share"] for row in rows]
    known = [100 * share for share in shares if share is not None]
    if not known:
        return []
    most = Figure.of(known)
    return [
        f"\nWhile samples were taken, other processes took {most.median:.0f} % of the cores in the "
        f"median, and from {most.low:.0f} to {most.high:.0f} %."
    ]


def _cell(figure: Figure | None, digits: int) -> str:
    if figure is None:
        return ""
    median = f"{figure.median:.{digits}f}"
    if figure.samples == 1:
        return median
    return f"{median} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"
