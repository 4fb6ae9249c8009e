"""Random requests to a real model: alone, in company, with drafts of both kinds and without."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from request_cases import Case, answered, case, compare

from convergio_mlx import Engine
from exhaustive import either
from own_kernels import needs_own_kernels

TEXTS = (
    "The harbour wall was built in 1911 and its foundations are still sound. ",
    "def area(width, height):\n    return width * height\n\n",
    '{"name": "salt", "n": 22}\n{"name": "rope", "n": 333}\n',
    "Two fishermen said that the northern quay had been closed since the spring. ",
)
COUNT = either(12, 500)


def requests(engine: Engine) -> list[Case]:
    """Those of the small models, after texts that begin alike and repeat themselves."""
    found = []
    for number in range(COUNT):
        dice = random.Random(-number)
        text = "".join(dice.choices(TEXTS, k=dice.randrange(1, 6)))
        prompt = engine.tokenizer.encode(text[: dice.randrange(8, len(text))])
        found.append(replace(case(engine, number), prompt=prompt))
    return found


@needs_own_kernels
def test_random_requests_are_answered_as_alone(real_engine: Engine, coarser: Path) -> None:
    cases = requests(real_engine)
    plain = [replace(one, params=replace(one.params, speculate=False)) for one in cases]
    alone = [answered(real_engine, one) for one in plain]
    compare(real_engine, cases, alone, threads=12, seed=1)
    with Engine.load(real_engine.folder, draft_model=coarser) as drafted:
        drafted._model.drafts_always = True
        compare(drafted, cases, alone, threads=12, seed=1)
