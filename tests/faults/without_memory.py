"""A program with failing_malloc preloaded: runs a scenario again and again, each time with another
allocation failing, and then once with none failing.

    without_memory.py SCENARIO MORE NUMBER…

The allocation NUMBER of the scenario fails, and the MORE after it. Each gives a line of JSON:
{"number": …, "failed": how many did, "outcome": "the answer" or what was wrong, "after": the same
of the run in which none failed}. "begun" is printed before, so that the last line of a program that
died names what killed it. FORKED scenarios run in a process of their own for each number, so that
what a process makes once is made anew.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from convergio_mlx.platform.native import native

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small_models import VOCABULARY, ids, make_model, write_model

from arch.variants import tiny

LARGE = {"hidden_size": 512, "num_hidden_layers": 2, "intermediate_size": 1536}
"""A model of 25 MB, which is no small step (csrc/engine/decoder.cpp)."""
GUIDE = Path(cm.__file__).parent / "guide"
QUESTION = [{"role": "user", "content": "Which model fits in 8 GB of memory?"}]
GREEDY = cm.SamplingParams(max_tokens=12, temperature=0.0)
SEEDED = cm.SamplingParams(max_tokens=12, temperature=0.9, seed=7, logprobs=2)
SCHEMA = {
    "type": "object",
    "properties": {"model": {"type": "string", "maxLength": 8}, "fits": {"type": "boolean"}},
    "required": ["model", "fits"],
}
FORM = {"type": "json_schema", "json_schema": {"name": "fit", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "fit", "parameters": SCHEMA}}]
HANG = 120.0  # seconds, for a busy machine

faults = ctypes.CDLL(None)


def chat(engine: cm.Engine) -> object:
    return engine.generate(QUESTION, GREEDY).text()


def sampled(engine: cm.Engine) -> object:
    chunks = list(engine.generate(QUESTION, SEEDED))
    return [(chunk.text, chunk.logprobs) for chunk in chunks if chunk.text] and "".join(
        chunk.text for chunk in chunks
    )


def asynchronous(engine: cm.Engine) -> object:
    async def answer() -> str:
        async with engine.agenerate(QUESTION, GREEDY) as generation:
            return await generation.text()

    return asyncio.run(answer())


def logits(engine: cm.Engine) -> object:
    return bytes(memoryview(engine.logits(list(range(20, 60))))).hex()  # type: ignore[arg-type]


def formed(engine: cm.Engine) -> object:
    params = cm.SamplingParams(max_tokens=40, temperature=0.0)
    return engine.stream(QUESTION, params, response_format=FORM).response().text


def called(engine: cm.Engine) -> object:
    params = cm.SamplingParams(max_tokens=40, temperature=0.0)
    answer = engine.stream(QUESTION, params, tools=TOOLS, tool_choice="required").response()
    return [(call.name, call.arguments) for call in answer.tool_calls]


def held(engine: cm.Engine) -> object:
    """A constraint in Python that gives masks, tokens to come, and the end."""
    words = bytes([0xFF] * 4) * ((engine.vocab_size + 31) // 32)
    replies: list[Any] = [words, [20, 21, 22], words, None]
    shown: list[Any] = []

    def constraint(accepted: Any) -> Any:
        shown.append(list(accepted))
        return replies[len(shown) - 1]

    return engine.generate(QUESTION, GREEDY, constraint=constraint).text(), shown


def overlapped(engine: cm.Engine) -> object:
    """The same with a model whose passes MLX's thread computes while the constraint works."""
    return held(engine)


def copied(engine: cm.Engine) -> object:
    """An answer whose tokens stood in the prompt, so that they are looked up and run beside."""
    words = list(range(20, 30))
    bias = dict.fromkeys(words, 20.0)
    params = cm.SamplingParams(max_tokens=30, temperature=0.0, logit_bias=bias, ignore_eos=True)
    return engine.generate([*words, *words, *words], params).text()


def drafted(engine: cm.Engine) -> object:
    """With a model that drafts in each pass."""
    return sampled(engine), formed(engine)


def recurrent(engine: cm.Engine) -> object:
    """Turns of a model whose states cannot go back: the next, the first again, another."""
    params = replace(GREEDY, ignore_eos=True)

    def told(prompt: list[int]) -> list[int]:
        return [token for chunk in engine.generate(prompt, params) for token in chunk.token_ids]

    first = ids(60)
    answer = told(first)
    return [answer, *map(told, ([*first, *answer, *ids(20)], first, [*first[:40], *ids(9)]))]


def load(_: object) -> object:
    """A load and a chat, in a process that has done neither."""
    with cm.Engine.load(GUIDE, prefix_cache_bytes=1 << 20) as engine:
        return chat(engine), sampled(engine), engine.context_window


def asked(_: object) -> object:
    """What the native module tells without a loaded model."""
    core = native()
    config = (GUIDE / "config.json").read_bytes()
    geometry = core.geometry(config)
    names = {f"model-{part:05}-of-00003.safetensors" for part in range(1, 4)}
    index = {"weight_map": {f"layers.{part}.weight": name for part, name in enumerate(names)}}
    opened = core.conversion(os.fsencode(GUIDE))
    matrix = opened.matrices[1][0] + ".weight"
    return (
        (len(opened.tensors), core.quantization_formats(), matrix),
        len(core.checkpoint_tensors(os.fsencode(GUIDE))),
        core.choose_weight_files(names, json.dumps(index).encode(), "a folder whose name is long"),
        core.weight_files(os.fsencode(GUIDE)),
        core.folder_geometry(os.fsencode(GUIDE)).windows,
        (geometry.model_type, geometry.rotary_of_layers, geometry.rotary(0, 64)),
        (core.isas(), core.active_isa(), core.model_types(), core.mlx_version()),
        (core.backend(), core.gpu(), core.memory()[4]),
    )


SCENARIOS: dict[str, Callable[[Any], object]] = {
    scenario.__name__: scenario
    for scenario in (
        chat,
        sampled,
        asynchronous,
        logits,
        formed,
        called,
        held,
        overlapped,
        copied,
        drafted,
        recurrent,
        load,
        asked,
    )
}
FORKED = ("load", "asked")


def outcome(run: Callable[[Any], object], engine: object, expected: object) -> str:
    try:
        given = run(engine)
    except cm.ConvergioError as error:
        return error.code.value if error.code == "out_of_memory" else repr(error)
    except BaseException as error:
        return repr(error)
    return "the answer" if given == expected else f"another answer: {str(given)[:200]}"


def say(**said: object) -> None:
    print(json.dumps(said), flush=True)


def fail(
    run: Callable[[Any], object], engine: object, expected: object, more: int, number: int
) -> None:
    """One run in which allocations fail, one in which none does."""
    say(begun=number)
    faulthandler.dump_traceback_later(HANG, exit=True)
    faults.faults_arm(ctypes.c_long(number), ctypes.c_long(more))
    got = outcome(run, engine, expected)
    failed = faults.faults_disarm()
    after = outcome(run, engine, expected)
    faulthandler.cancel_dump_traceback_later()
    say(number=number, failed=failed, outcome=got, after=after)
    if after != "the answer" or got not in ("the answer", "out_of_memory"):
        faults.faults_where(1)


def counted(run: Callable[[Any], object], engine: object) -> tuple[object, int]:
    """What a run gives, and its allocations."""
    faults.faults_arm(0, 0)
    given = run(engine)
    faults.faults_disarm()
    return given, faults.faults_counted()


def in_fork(job: Callable[[], None]) -> int:
    """Runs a job in a process of its own; how that ended."""
    child = os.fork()
    if child == 0:
        job()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def first_run(name: str) -> tuple[str, list[str]]:
    """What a scenario gives, by repr, and the modules that it imports."""
    with tempfile.NamedTemporaryFile() as told:

        def run() -> None:
            given, count = counted(SCENARIOS[name], None)
            say(scenario=name, allocations=count)
            Path(told.name).write_text(json.dumps([repr(given), list(sys.modules)]))

        if (ended := in_fork(run)) != 0:
            sys.exit(ended)
        expected, modules = json.loads(told.read())
        return expected, modules


def fork_each(name: str, more: int, numbers: list[int]) -> None:
    def run_repr(engine: object) -> object:
        return repr(SCENARIOS[name](engine))

    expected, modules = first_run(name)
    for module in modules:  # here, once
        if module not in sys.modules:
            import_module(module)
    for number in numbers:
        ended = in_fork(lambda number=number: fail(run_repr, None, expected, more, number))  # type: ignore[misc]
        if ended != 0:
            say(number=number, outcome=f"the process ended with {ended}", after="")


def model_of(name: str, scratch: Path) -> Path:
    """The folder of the model that a scenario runs on."""
    if name == "overlapped":
        return make_model(scratch, **LARGE)
    if name == "recurrent":
        return write_model(scratch, {**tiny("qwen3_5"), "vocab_size": VOCABULARY})
    return GUIDE


def main(name: str, more: int, numbers: list[int]) -> None:
    native()
    if name in FORKED:
        fork_each(name, more, numbers)
        return
    run = SCENARIOS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = model_of(name, Path(made))
        draft = GUIDE if name == "drafted" else None
        engine = cm.Engine.load(folder, draft_model=draft, prefix_cache_bytes=1 << 20)
        if draft is not None:
            engine._model.drafts_always = True
        assert engine.tokenizer is not None  # which is read at its first use
    expected = run(engine)
    assert run(engine) == expected
    say(scenario=name, allocations=counted(run, engine)[1])
    for number in numbers:
        fail(run, engine, expected, more, number)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(word) for word in sys.argv[3:]])
