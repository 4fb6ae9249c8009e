"""Plots of the figures, the limit drawn in where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from comparison.contender import CONTENDERS, Contender
from comparison.lines import Line, bandwidth, groups, lines
from comparison.measures import step_bytes
from comparison.row import Row

_PALETTE = {
    "ours": ("#0072b2", "#56b4e9", "#009e73"),
    "llama_cpp": ("#d55e00", "#e69f00", "#f0e442"),
    "mlx_lm": ("#555555", "#999999"),
}
"""Okabe and Ito's, which all eyes tell apart, and greys."""
COLOURS = {
    one: colour
    for engine, colours in _PALETTE.items()
    for one, colour in zip(
        [one for one in CONTENDERS if one.engine == engine], colours, strict=True
    )
}
PLOTS = {
    "decode": ("decode, tokens/s", ("short", "4096", "16384"), "tokens a second, more is better"),
    "prefill": ("prefill, tokens/s", ("512", "4096"), "tokens a second, more is better"),
    "first-token": (
        "first token, ms",
        ("short", "512", "4096"),
        "milliseconds to the first token, less is better",
    ),
    "start": (
        "process to first token, ms",
        ("start", "cold start"),
        "milliseconds from starting a process to its first token, less is better",
    ),
    "memory": ("peak resident, MB", ("short", "4096"), "peak memory in MB, less is better"),
}
"""By file name: the measure, the cases and the axis."""
_FAR_APART = 50
"""Times the lowest figure, from which on a plot's scale is logarithmic."""


def plot(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Writes a PNG for each of PLOTS that there are figures of, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    limits = _limits(rows)
    every = list(lines(rows))
    made = []
    for name, (title, cases, axis) in PLOTS.items():
        found = [one for one in every if one.measure.title == title and one.case in cases]
        if not found:
            continue
        figure, axes = pyplot.subplots(figsize=(max(6.0, 1.6 * len(found) + 2), 4.5), dpi=120)
        _bars(axes, found, limits if name == "decode" else {})
        axes.set_ylabel(axis)
        machine = rows[-1].machine
        axes.set_title(
            f"{machine['processor']}, {rows[-1].job['threads']} threads, {rows[-1].commit}",
            fontsize=8,
        )
        made.append(folder / f"{name}.png")
        figure.tight_layout()
        figure.savefig(made[-1], metadata={"Software": None})
        pyplot.close(figure)
    return made


def _limits(rows: Sequence[Row]) -> dict[tuple[str, str, Contender], float]:
    """Tokens a second that the measured read bandwidth allows each contender."""
    found = {}
    for geometry, case, group in groups(rows):
        if read := bandwidth(group):
            for one, its in group.items():
                found[geometry, case, one] = read.median / step_bytes(its[0])
    return found


def _bars(
    axes: Axes, found: Sequence[Line], limits: dict[tuple[str, str, Contender], float]
) -> None:
    width = 0.8 / max(len(line.figures) for line in found)
    named: set[Contender] = set()
    for place, line in enumerate(found):
        for number, (one, figure) in enumerate(line.figures.items()):
            x = place + width * (number - (len(line.figures) - 1) / 2)
            error = [[figure.median - figure.low], [figure.high - figure.median]]
            label = "" if one in named else f"{one.name} ({one.bits} bits)"
            axes.bar(x, figure.median, width, color=COLOURS[one], label=label)
            axes.errorbar(x, figure.median, yerr=error, color="black", capsize=2, linewidth=0.8)
            named.add(one)
            if limit := limits.get((line.geometry, line.case, one)):
                mark = "what memory allows" if place == number == 0 else ""
                axes.hlines(
                    limit, x - width / 2, x + width / 2, color="black", linestyle="--", label=mark
                )
    axes.set_xticks(range(len(found)), [f"{one.geometry}\n{one.case}" for one in found], fontsize=8)
    medians = [figure.median for line in found for figure in line.figures.values()]
    if max(medians) > _FAR_APART * min(medians):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
    else:
        axes.set_ylim(bottom=0)
    # below: above the bars stand the limits
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
