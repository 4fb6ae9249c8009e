"""What a user's ~/.convergio/models.json changes, and what happens when it is broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx.errors import ModelNotFoundError
from convergio_mlx.registry import load_registry

LLAMA = "llama-3.2-1b"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))
    return tmp_path / "models.json"


def write(path: Path, *entries: object) -> None:
    path.write_text(json.dumps({"schema": 1, "models": list(entries)}))


def test_without_one_there_are_no_problems(own: Path) -> None:
    registry = load_registry()
    assert registry.problems == ()
    assert len(registry) == len(list(registry)) >= 9


def test_fields_of_a_known_id_are_replaced_and_new_ids_are_added(own: Path) -> None:
    shipped = load_registry().require(LLAMA)
    write(own, {"id": LLAMA, "memory_gb": 3.5}, {"id": "mine", "repository": "me/mine"})
    registry = load_registry()
    assert registry.problems == ()
    changed = registry.require(LLAMA)
    assert changed.memory_gb == 3.5
    assert {**changed.as_json(), "memory_gb": 4} == shipped.as_json()
    mine = registry.require("mlx/mine")
    assert (mine.display_name, mine.context_window, mine.purpose) == ("mine", None, "general")
    assert list(registry.models)[-1] == "mine"
    assert LLAMA in registry
    assert 5 not in registry


def test_hashes_do_not_outlive_their_revision_nor_a_revision_its_repository(own: Path) -> None:
    pinned = {"revision": "a" * 40, "sha256": {"config.json": "b" * 64}}
    first = {"id": "m", "repository": "o/r", **pinned}
    write(own, first, {"id": "m", "revision": "c" * 40})
    entry = load_registry().require("m")
    assert (entry.revision, entry.sha256) == ("c" * 40, None)
    write(own, first, {"id": "m", "repository": "o/other"})
    entry = load_registry().require("m")
    assert (entry.revision, entry.sha256) == (None, None)
    write(own, first, {"id": "m", "repository": "o/r", "revision": "a" * 40, "tools": True})
    entry = load_registry().require("m")
    assert (entry.revision, entry.sha256) == (pinned["revision"], pinned["sha256"])


def test_a_package_replaces_a_repository_and_the_other_way_round(own: Path) -> None:
    package = {"name": "a", "version": "1", "file": "a/m.gguf", "sha256": "b" * 64}
    write(own, {"id": LLAMA, "package": package}, {"id": "smollm2-135m", "repository": "me/own"})
    registry = load_registry()
    assert registry.problems == ()
    entry = registry.require(LLAMA)
    assert (entry.repository, entry.config, entry.source) == (
        None,
        None,
        "a 1 on the package index",
    )
    entry = registry.require("smollm2-135m")
    assert (entry.package, entry.config, entry.source) == (None, None, "me/own")


def test_what_a_second_file_dropped_stays_dropped(own: Path) -> None:
    first = {"id": "m", "repository": "o/r", "revision": "a" * 40, "sha256": {"x": "b" * 64}}
    write(own, first, {"id": "m", "repository": "o/other"}, {"id": "m", "memory_gb": 1})
    entry = load_registry().require("m")
    assert (entry.repository, entry.revision, entry.sha256) == ("o/other", None, None)


def test_a_broken_entry_is_reported_and_ignored_alone(own: Path) -> None:
    write(own, {"id": "../../x", "repository": "o/r"}, {"id": LLAMA, "memory_gb": 5}, 7)
    registry = load_registry()
    assert registry.require(LLAMA).memory_gb == 5
    assert registry.problems == (
        f"[registry] entry 1 of {str(own)!r} is ignored: it has id '../../x', which must be small "
        "letters, digits, dots, dashes and underscores, at most 64; docs/models.md tells what an "
        "entry holds.",
        f"[registry] entry 3 of {str(own)!r} is ignored: it is not a JSON object; "
        "docs/models.md tells what an entry holds.",
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"id": "x"}, "it lacks 'repository'"),
        ({"repository": "o/r"}, "it lacks 'id'"),
        ({"id": LLAMA, "memory": 4}, "it has the unknown field 'memory'"),
        ({"id": LLAMA, "tools": "yes"}, "it has tools 'yes', which must be true or false"),
        (
            {"id": "convergio-guide", "repository": "o/r"},
            "it takes the id 'convergio-guide' of the embedded model",
        ),
        (
            {"id": LLAMA, "display_name": "\x1b]0;owned\x07"},
            "it has display_name '\\x1b]0;owned\\x07', which must be a line of text",
        ),
    ],
)
def test_what_is_wrong_is_said(own: Path, entry: dict[str, Any], why: str) -> None:
    before = load_registry()
    write(own, entry)
    registry = load_registry()
    assert registry.models == before.models
    (problem,) = registry.problems
    assert f"is ignored: {why}" in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\xff\xfe", "is not JSON ("),
        (b"[" * 100_000, "is not JSON ("),
        (b"[]", "is not a JSON object"),
        (b"{}", "has schema None, and this version reads schema 1"),
        (b'{"schema": 2, "models": []}', "has schema 2, and this version reads schema 1"),
        (b'{"schema": 1}', "has no list 'models'"),
        (b'{"schema": 1, "models": [], "x": 1}', "has the unknown field 'x'"),
        (b" " * ((8 << 20) + 1), "cannot be read (it has more than 8388608 bytes)"),
        (b'{"schema": 1, "models": [' + b"9" * 5000 + b"]}", "is not JSON (Exceeds the limit"),
    ],
)
def test_a_broken_file_is_reported_and_ignored(own: Path, data: bytes, why: str) -> None:
    before = load_registry()
    own.write_bytes(data)
    registry = load_registry()
    assert registry.models == before.models
    (problem,) = registry.problems
    assert problem.startswith(f"[registry] {str(own)!r} is ignored: it {why}")


def test_a_folder_in_its_place_is_reported(own: Path) -> None:
    own.mkdir()
    (problem,) = load_registry().problems
    assert problem == f"[registry] {str(own)!r} is ignored: it cannot be read (Is a directory)."


def test_the_example_of_the_documentation(own: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    example = page.partition("## The registry\n")[2].partition("```json\n")[2].partition("```")[0]
    own.write_text(example)
    registry = load_registry()
    assert registry.problems == ()
    for given in json.loads(example)["models"]:
        entry = registry.require(given["id"])
        assert {name: getattr(entry, name) for name in given} == given


def test_an_unknown_id(own: Path) -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        load_registry().require("\x1b[2J")
    assert str(raised.value) == (
        "[registry] there is no model '\\x1b[2J'; `convergio-mlx models list` shows those there "
        "are, and hf:owner/name takes any repository of the hub."
    )
