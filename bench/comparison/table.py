"""Rows as tables of medians and ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from comparison.contender import CONTENDERS, Contender, like
from comparison.row import Row, check_alike
from comparison.statistic import Figure


@dataclass(frozen=True)
class Measure:
    """A figure that a row gives."""

    title: str
    of: Callable[[Row], float | None]
    more_is_better: bool
    digits: int = 1


def _decode(row: Row) -> float | None:
    turn = row.found["first_turn"]
    return (turn["answer_tokens"] - 1) / turn["decode_seconds"]


def _prefill(row: Row) -> float | None:
    turn = row.found["first_turn"]
    return turn["prompt_tokens"] / turn["first_token_seconds"]


def _second(row: Row) -> float | None:
    turn = row.found.get("second_turn")
    return turn["first_token_seconds"] * 1e3 if turn else None


def _start(row: Row) -> float | None:
    return None if row.job["warm_up"] else row.found["process_to_first_token_seconds"] * 1e3


def _own(row: Row) -> float | None:
    return (row.found["own_bytes"] or 0) / 1e6 or None


MEASURES = (
    Measure("decode, tokens/s", _decode, True, 2),
    Measure("prefill, tokens/s", _prefill, True),
    Measure(
        "first token, ms", lambda row: row.found["first_turn"]["first_token_seconds"] * 1e3, False
    ),
    Measure("second turn's first token, ms", _second, False),
    Measure("process to first token, ms", _start, False),
    Measure("import, ms", lambda row: row.found["import_seconds"] * 1e3, False),
    Measure("load, ms", lambda row: row.found["load_seconds"] * 1e3, False),
    Measure("peak resident, MB", lambda row: row.found["peak_bytes"] / 1e6, False, 0),
    Measure("resident but for files, MB", _own, False, 0),
)


@dataclass(frozen=True)
class Line:
    """A measure of a case for each contender."""

    geometry: str
    case: str
    measure: Measure
    figures: dict[Contender, Figure]
    ratios: dict[Contender, float]
    """Of another contender: how many times as good ours of equal bytes is."""


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    """One for each geometry, case and measure.

    Raises:
        UnlikeRowsError: rows to be compared are of unlike machines, options or versions.
    """
    cases = dict.fromkeys((row.geometry, row.case) for row in rows)
    for geometry, case in cases:
        mine = [row for row in rows if (row.geometry, row.case) == (geometry, case)]
        by_contender = {one: [r for r in mine if _is_of(r, one)] for one in CONTENDERS}
        by_contender = {one: found for one, found in by_contender.items() if found}
        for found in by_contender.values():
            for row in found[1:]:
                check_alike(found[0], row)
        for measure in MEASURES:
            figures = {}
            for one, found in by_contender.items():
                values = [value for row in found if (value := measure.of(row)) is not None]
                if values:
                    figures[one] = Figure.of(values)
            if figures:
                ratios = dict(_ratios(measure, figures, by_contender))
                yield Line(geometry, case, measure, figures, ratios)


def _is_of(row: Row, contender: Contender) -> bool:
    return (row.engine, row.format) == (contender.engine, contender.format)


def _ratios(
    measure: Measure, figures: dict[Contender, Figure], rows: dict[Contender, list[Row]]
) -> Iterator[tuple[Contender, float]]:
    for other, figure in figures.items():
        ours = like("ours", other.bits_per_weight)
        if other.engine == "ours" or ours not in figures or ours is None:
            continue
        check_alike(rows[ours][0], rows[other][0])
        ratio = figures[ours].median / figure.median
        yield other, ratio if measure.more_is_better else 1 / ratio


def render(rows: Sequence[Row]) -> str:
    """Markdown: medians with the lowest and highest sample, and by how much ours is better."""
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
                f"\n### {line.geometry}: {job['prompt']} tokens, then {job['answer']}; {warm}\n",
                f"| | {' | '.join(names)} |",
                "|---|" + "---:|" * len(names),
            ]
        cells = [_cell(line.figures.get(one), line.measure.digits) for one in columns]
        cells += [_ratio(line.ratios.get(one)) for one in columns if one.engine != "ours"]
        out.append(f"| {line.measure.title} | {' | '.join(cells)} |")
    return "\n".join(out).strip() + "\n"


def _cell(figure: Figure | None, digits: int) -> str:
    if figure is None:
        return ""
    median = f"{figure.median:.{digits}f}"
    if figure.samples == 1:
        return median
    return f"{median} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"
