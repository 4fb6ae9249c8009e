"""Rows put side by side: medians, and ratios where there may be any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comparison.contender import CONTENDERS, Contender, like
from comparison.measures import MEASURES, Measure, decode_share
from comparison.row import Row, check_alike
from comparison.statistic import Figure

Group = dict[Contender, list[Row]]


@dataclass(frozen=True)
class Line:
    """A measure of a case, for each contender."""

    geometry: str
    case: str
    measure: Measure
    figures: dict[Contender, Figure]
    ratios: dict[Contender, float]
    """Of another contender: how many times as good ours of equal bytes is."""


def groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, Group]]:
    """Geometry, case and the rows of each contender, in the order they were measured.

    Raises:
        UnlikeRowsError: rows that belong together differ in machine, options or versions.
    """
    for geometry, case in dict.fromkeys((row.geometry, row.case) for row in rows):
        mine = [row for row in rows if (row.geometry, row.case) == (geometry, case)]
        group: Group = {}
        for one in CONTENDERS:
            its = [row for row in mine if (row.engine, row.format) == (one.engine, one.format)]
            for row in its[1:]:
                check_alike(its[0], row)
            if its:
                group[one] = its
        yield geometry, case, group


def bandwidth(group: Group) -> Figure | None:
    """Bytes a second that this machine reads, as measured between these rows."""
    details = [row.found["detail"] for its in group.values() for row in its]
    samples = [one["read_bytes_per_second"] for one in details if "read_bytes_per_second" in one]
    return Figure.of(samples) if samples else None


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    """One for each geometry, case and measure that there is a figure of.

    Raises:
        UnlikeRowsError: as `groups`, and where a ratio would be made of unlike rows.
    """
    for geometry, case, group in groups(rows):
        measures = list(MEASURES)
        if read := bandwidth(group):
            measures[1:1] = [_share(read.median)]
        for measure in measures:
            figures = {}
            for one, its in group.items():
                values = [value for row in its if (value := measure.of(row)) is not None]
                if values:
                    figures[one] = Figure.of(values)
            if figures:
                yield Line(geometry, case, measure, figures, _ratios(measure, figures, group))


def _share(read: float) -> Measure:
    return Measure(
        f"decode, % of what {read / 1e9:.1f} GB/s allow",
        lambda row: decode_share(row, read),
        None,
        0,
    )


def _ratios(
    measure: Measure, figures: dict[Contender, Figure], group: Group
) -> dict[Contender, float]:
    found: dict[Contender, float] = {}
    for other, figure in figures.items():
        ours = like("ours", other)
        if other.engine == "ours" or ours is None or ours not in figures:
            continue
        check_alike(group[ours][0], group[other][0])
        if measure.more_is_better is not None:
            ratio = figures[ours].median / figure.median
            found[other] = ratio if measure.more_is_better else 1 / ratio
    return found
