"""Whatever JSON a host, a hub or a file on the disk hands to store and registry: it is taken, or
refused with one of the package's own errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convergio_mlx import store
from convergio_mlx.errors import ConvergioError
from convergio_mlx.registry import RegistryEntry, load_registry, refresh, remote
from convergio_mlx.store.names import small_files, weight_files
from convergio_mlx.store.receipt import Receipt
from exhaustive import either
from hub import Fault, Hub
from store.models import MODEL, REPOSITORY, sharded

LETTERS = st.characters(codec=None) | st.characters(categories=["Cs"])
TEXTS = (
    st.text(LETTERS, max_size=30)
    | st.sampled_from(["", ".", "..", "/", "~", "~x/y", "mlx/", MODEL, f"mlx/{MODEL}", REPOSITORY])
    | st.sampled_from(["a" * 5000, "\0", "\ud800", "owner/name", "model.safetensors", "0" * 40])
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([-1, 0, 2**31, 2**63, 2**64, 10**400])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda some: st.lists(some, max_size=4) | st.dictionaries(TEXTS, some, max_size=4),
    max_leaves=12,
)
NAMES_OF_FIELDS = st.sampled_from(
    [*RegistryEntry.__dataclass_fields__, "rfilename", "size", "blobId", "lfs", "siblings", "sha"]
)
OBJECTS = st.dictionaries(NAMES_OF_FIELDS | TEXTS, VALUES, max_size=8)

ENTRIES: dict[str, Callable[[Any], object]] = {
    "find": store.find,
    "partial_bytes": store.partial_bytes,
    "trust": store.trust,
    "download": store.download,
    "verify": store.verify,
    "repair": store.repair,
    "delete": store.delete,
    "import_model": store.import_model,
    "import_model, its id": lambda value: store.import_model("nowhere", model=value),
    "pin": store.pin,
    "get": lambda value: load_registry().get(value),
    "require": lambda value: load_registry().require(value),
    "contains": lambda value: value in load_registry(),
}


def text_of(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def typed(call: Callable[[], object], *others: type[Exception]) -> None:
    """Runs a call; an error of the package's own, or one that its docstring names, may leave it."""
    said = "[x] nothing."
    try:
        call()
    except ConvergioError as error:
        said = str(error)
    except others:
        pass
    assert said.startswith("[")
    assert said.endswith(".")
    assert said.isprintable()


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVERGIO_OFFLINE", "1")
    monkeypatch.chdir(home.parent)
    return home


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


def check_entry(name: str, count: int) -> None:
    @examples(count)
    @given(VALUES)
    def check(value: Any) -> None:
        typed(lambda: ENTRIES[name](value))

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_any_value_for_an_argument(offline: Path, name: str) -> None:
    check_entry(name, 60)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ENTRIES)
def test_many_values_for_an_argument(offline: Path, name: str) -> None:
    check_entry(name, either(300, 5000))


def check_registry(home: Path, count: int) -> None:
    home.mkdir(exist_ok=True)

    @examples(count)
    @given(
        VALUES
        | st.builds(lambda models: {"schema": 1, "models": models}, st.lists(OBJECTS | VALUES))
    )
    def check(value: Any) -> None:
        (home / "models.json").write_bytes(text_of(value))
        registry = load_registry()
        assert len(registry) >= 19
        assert all(problem.isprintable() for problem in registry.problems)
        for entry in registry:
            json.dumps(entry.as_json())

    check()


@pytest.mark.slow
def test_any_json_as_the_users_registry(offline: Path) -> None:
    check_registry(offline, 100)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_much_json_as_the_users_registry(offline: Path) -> None:
    check_registry(offline, either(500, 5000))


def test_any_json_as_the_kept_remote_registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_REGISTRY_URL", "http://127.0.0.1:9/x")
    remote.cache_file().parent.mkdir(parents=True)
    of = remote._name_of("http://127.0.0.1:9/x")

    @examples(100)
    @given(st.fixed_dictionaries({"of": st.just(of), "at": VALUES, "text": VALUES}) | VALUES)
    def check(value: Any) -> None:
        remote.cache_file().write_bytes(text_of(value))
        assert len(load_registry()) >= 19
        refresh()

    check()


@pytest.mark.slow
@examples(300)
@given(OBJECTS | VALUES)
def test_any_json_as_an_entry_or_a_receipt(value: Any) -> None:
    typed(lambda: RegistryEntry.parse(value), ValueError)
    typed(lambda: Receipt.of(text_of(value)), ValueError)


@pytest.mark.slow
@examples(300)
@given(st.lists(TEXTS, max_size=6), VALUES | st.fixed_dictionaries({"weight_map": VALUES}))
def test_any_names_and_any_index(listed: list[str], index: Any) -> None:
    needed = ["config.json", "tokenizer.json"]
    typed(lambda: small_files([*needed, *listed], "it"))
    typed(lambda: weight_files([*needed, *listed], text_of(index), "it"))


def check_listing(hub: Hub, count: int) -> None:
    known = json.loads(json.dumps(sharded(100).siblings()))
    siblings = st.lists(OBJECTS | VALUES | st.sampled_from(known), max_size=8)
    whole = st.tuples(st.just(known), st.integers(0, len(known) - 1), NAMES_OF_FIELDS, VALUES)

    def changed(parts: tuple[list[dict[str, Any]], int, str, Any]) -> list[dict[str, Any]]:
        listed, at, name, value = parts
        return [{**one, **({name: value} if n == at else {})} for n, one in enumerate(listed)]

    @examples(count)
    @given(
        VALUES
        | st.fixed_dictionaries(
            {"sha": st.just("0" * 40) | VALUES, "siblings": siblings | whole.map(changed) | VALUES}
        )
    )
    def check(value: Any) -> None:
        hub.faults = [Fault("/api/models/", times=99, body=text_of(value))]
        typed(lambda: store.download(MODEL))
        assert store.installed() == []

    check()


def test_any_json_as_a_listing(hub: Hub) -> None:
    check_listing(hub, 60)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_much_json_as_a_listing(hub: Hub) -> None:
    check_listing(hub, either(200, 2000))


@pytest.mark.slow
def test_any_bytes_in_the_files_of_the_store(hub: Hub, folder: Path) -> None:
    """Receipt and record of the first download, by whoever wrote them."""
    store.download(MODEL)
    record = folder.parent / ".trusted" / f"{MODEL}.json"
    sound = record.read_bytes()

    @examples(60)
    @given(st.binary(max_size=200) | VALUES.map(text_of), st.sampled_from(["receipt", "record"]))
    def check(data: bytes, which: str) -> None:
        path = record if which == "record" else folder / "receipt.json"
        path.write_bytes(data)
        for call in (store.find, store.verify, store.trust, store.download):
            typed(lambda call=call: call(MODEL))
        record.write_bytes(sound)
        store.repair(MODEL)
        assert store.verify(MODEL).is_sound

    check()
