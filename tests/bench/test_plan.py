"""The order in which samples are taken."""

from comparison.contender import CONTENDERS, Contender, like
from comparison.plan import FULL, QUICK, Case, samples


def test_contenders_take_turns() -> None:
    case = Case("one", 16, 8, rounds=2)
    order = [(s.contender.name, s.round) for s in samples({"thin-16": [case]}, CONTENDERS, ())]
    names = [one.name for one in CONTENDERS if one.expert_bits_per_weight is None]
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


def test_experts_of_mxfp4_are_compared_with_their_like_alone() -> None:
    for plan in (QUICK, FULL):
        for sample in samples(plan, CONTENDERS, ("mlx_lm",)):
            is_mixed = sample.contender.format in ("mxfp4-q8", "MXFP4")
            assert is_mixed == sample.geometry.startswith("gpt-oss"), sample


def test_the_models_of_today_are_measured_by_both_engines_alike() -> None:
    names = ("gpt-oss-20b-8", "gemma-4-e4b", "qwen3-30b-a3b-5")
    for geometry in names:
        found = [
            (one.case.name, one.contender.engine, one.round)
            for one in samples({geometry: FULL[geometry]}, CONTENDERS, ("mlx_lm",))
        ]
        assert sorted(found) == sorted(
            (case, engine, number)
            for case in ("short", "512")
            for engine in ("ours", "llama_cpp")
            for number in range(3)
        )


def test_each_contender_has_ours_of_equal_bytes() -> None:
    for one in CONTENDERS:
        ours = like("ours", one)
        assert ours is not None
        assert ours.bits == one.bits
    assert like("ours", Contender("llama_cpp", "Q8_0", 8.5)) is None
