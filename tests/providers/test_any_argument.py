"""Whatever a host gives to engines, providers and conversations: it is taken, or refused with one
of the package's own errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convergio_mlx import Engine, MlxProvider
from convergio_mlx.chats import request as chats
from convergio_mlx.engine.request import GENERATE_OPTIONS
from convergio_mlx.errors import ConvergioError
from convergio_mlx.generation.sampling import SAMPLING_OPTIONS
from convergio_mlx.providers.conversation import Conversation
from exhaustive import EXHAUSTIVE, either

MODEL = "convergio-guide"
WORDS = ("user", "system", "assistant", "tool", "auto", "required", "none", "function", "text")
FIELDS = ("type", "function", "name", "role", "content", "parameters", "properties", "schema")
MORE_FIELDS = ("tool_calls", "id", "arguments", "json_schema", "regex", "choice", "grammar", "$ref")
ATOMS = st.sampled_from(
    [
        *(None, True, 0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, float("nan"), float("inf"), b"x"),
        *("", "a", "\ud800", "a\0b", "x" * 300, (), object(), object, len, range(3), *WORDS),
    ]
)
KEYS = st.sampled_from([*FIELDS, *MORE_FIELDS, 1, None, "", "\ud800"])
VALUES = st.recursive(
    ATOMS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=4),
    max_leaves=8,
)


def mostly(good: Any) -> st.SearchStrategy[Any]:
    """What is right, or anything else."""
    return st.just(good) | VALUES


CALLS = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": mostly("f"), "arguments": mostly("{}")})}
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": mostly("user"), "content": mostly("a")},
        optional={"tool_calls": st.lists(CALLS, max_size=2), "tool_call_id": VALUES},
    ),
    min_size=1,
    max_size=3,
)
TOOLS = st.lists(
    st.fixed_dictionaries({"name": mostly("f"), "parameters": mostly({"type": "object"})}),
    max_size=2,
)
OPTIONS = st.dictionaries(
    st.sampled_from(
        sorted(SAMPLING_OPTIONS - {"max_tokens"} | {"timeout", "priority", "allow_lost_messages"})
    ),
    VALUES,
    max_size=2,
)
CHAT_OPTIONS = st.dictionaries(
    st.sampled_from(sorted(chats.CHAT_OPTIONS - GENERATE_OPTIONS | {"chat_template_kwargs"})),
    VALUES,
    max_size=2,
)
SAVED = st.dictionaries(
    st.sampled_from(["model", "system", "messages", "originals", "compactions", "keep", "tools"]),
    VALUES | MESSAGES,
    max_size=7,
)

Entry = Callable[[Engine, MlxProvider, st.DataObject], object]
ENTRIES: dict[str, Entry] = {
    "generate": lambda engine, _, of: engine.generate(
        of.draw(mostly("a") | MESSAGES), max_tokens=of.draw(mostly(1)), **of.draw(OPTIONS)
    ).text(),
    "generate_n": lambda engine, _, of: [
        one.text() for one in engine.generate_n("a", of.draw(mostly(2)), max_tokens=1)
    ],
    "generate_many": lambda engine, _, of: list(
        engine.generate_many(
            of.draw(mostly(["a"]) | st.lists(VALUES | MESSAGES, max_size=2)),
            of.draw(mostly(None)),
            ahead=of.draw(mostly(1)),
            max_tokens=1,
        )
    ),
    "stream": lambda engine, _, of: engine.stream(
        of.draw(MESSAGES),
        tools=of.draw(TOOLS | VALUES),
        max_tokens=1,
        **of.draw(OPTIONS),
        **of.draw(CHAT_OPTIONS),
    ).response(),
    "logits": lambda engine, _, of: engine.logits(
        of.draw(mostly([5, 6])), chunk=of.draw(mostly(3))
    ),
    "perplexity": lambda engine, _, of: engine.perplexity(
        of.draw(mostly("a b c d")), window=of.draw(mostly(16)), max_tokens=of.draw(mostly(8))
    ),
    "load": lambda _, __, of: Engine.load(
        of.draw(mostly(MODEL)),
        draft_model=of.draw(mostly(None)),
        prefix_cache_bytes=of.draw(mostly(None)),
        prefill_pause=of.draw(mostly(None)),
    ).close(),
    "encode": lambda engine, _, of: engine.tokenizer.encode(of.draw(VALUES)),
    "decode": lambda engine, _, of: engine.tokenizer.decode(of.draw(VALUES)),
    "render": lambda engine, _, of: engine.tokenizer.chat_template().render(of.draw(VALUES)),
    "chat": lambda _, provider, of: provider.chat(
        of.draw(mostly(MODEL)), of.draw(mostly(None)), of.draw(mostly("a")), max_tokens=1
    ),
    "count_tokens": lambda _, provider, of: provider.count_tokens(
        of.draw(mostly(MODEL)), of.draw(mostly(None)), of.draw(MESSAGES | VALUES)
    ),
    "a provider": lambda _, __, of: (
        MlxProvider(
            draft_models=of.draw(mostly(None)),
            idle_seconds=of.draw(mostly(None)),
            wait_seconds=of.draw(mostly(1.0)),
        )
        .__enter__()
        .__exit__()
    ),
    "a provider's models": lambda _, provider, of: [
        of.draw(st.sampled_from([provider.load, provider.unload, provider.usable_window]))(
            of.draw(VALUES)
        ),
        provider.model_config(of.draw(VALUES)),
    ],
    "a conversation": lambda _, provider, of: Conversation(
        provider,
        of.draw(mostly(MODEL)),
        system=of.draw(mostly(None)),
        tools=of.draw(TOOLS | VALUES),
        keep=of.draw(mostly(10)),
    ).add(of.draw(VALUES)),
    "a conversation that was saved": lambda _, provider, of: Conversation.restore(
        provider, of.draw(SAVED | VALUES)
    ),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.load(MODEL) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def provider() -> Iterator[MlxProvider]:
    with MlxProvider() as made:
        yield made


def check(engine: Engine, provider: MlxProvider, name: str, count: int) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=not EXHAUSTIVE,
    )
    @given(st.data())
    def typed(of: st.DataObject) -> None:
        said = "[x] nothing."
        try:
            ENTRIES[name](engine, provider, of)
        except ConvergioError as error:
            said = str(error)
        assert said.startswith("[")
        assert said.endswith(".")

    typed()


@pytest.mark.parametrize("name", ENTRIES)
def test_any_arguments(engine: Engine, provider: MlxProvider, name: str) -> None:
    check(engine, provider, name, 10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ENTRIES)
def test_many_arguments(engine: Engine, provider: MlxProvider, name: str) -> None:
    check(engine, provider, name, either(300, 20_000))
