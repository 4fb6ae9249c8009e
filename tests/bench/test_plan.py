"""The order in which samples are taken."""

from comparison.contender import CONTENDERS, like
from comparison.plan import FULL, QUICK, Case, samples


def test_contenders_take_turns() -> None:
    case = Case("one", 16, 8, rounds=2)
    order = [(s.contender.name, s.round) for s in samples({"thin-16": [case]}, CONTENDERS, ())]
    names = [one.name for one in CONTENDERS]
    assert order == [(name, 0) for name in names] + [(name, 1) for name in names]


def test_a_slow_engine_gets_the_short_cases_alone() -> None:
    for plan in (QUICK, FULL):
        cases = {
            s.case.name
            for s in samples(plan, CONTENDERS, ("mlx_lm",))
            if s.contender.engine == "mlx_lm"
        }
        assert cases == {"few", "thin"}


def test_a_narrow_case_has_contenders_of_equal_bytes_alone() -> None:
    case = Case("one", 16, 8, wide=False)
    widths = {s.contender.bits_per_weight for s in samples({"thin-16": [case]}, CONTENDERS, ())}
    assert widths == {4.5}


def test_each_contender_has_ours_of_equal_bytes() -> None:
    for one in CONTENDERS:
        ours = like("ours", one.bits_per_weight)
        assert ours is not None
        assert ours.bits_per_weight == one.bits_per_weight
    assert like("ours", 8.5) is None
