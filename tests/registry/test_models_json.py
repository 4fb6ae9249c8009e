"""models.json, its schema, and that the schema and the program want the same."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import checkpoint_shapes
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.registry.parsing import parse
from convergio_mlx.sizing.footprint import entry_footprint

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "models.schema.json").read_text(encoding="utf-8"))
SHIPPED = json.loads((ROOT / "models.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)

# Id: download bytes and memory in GB, as decided for the project.
RECORD = {
    "llama-3.2-1b": (800_000_000, 4),
    "llama-3.2-3b": (1_800_000_000, 8),
    "deepseek-r1-1.5b": (1_000_000_000, 4),
    "deepseek-r1-7b": (4_500_000_000, 8),
    "deepseek-r1-14b": (8_500_000_000, 16),
    "qwen2.5-coder-7b": (4_200_000_000, 8),
    "phi-3-mini": (2_200_000_000, 6),
    "mistral-7b-q4": (4_100_000_000, 8),
    "llama-3.1-8b-q4": (4_600_000_000, 8),
}


def registry_of(*entries: object) -> dict[str, Any]:
    return {"schema": 1, "models": list(entries)}


def test_the_schema_is_one_and_models_json_obeys_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(SHIPPED)
    fields = SCHEMA["$defs"]["entry"]["properties"]
    assert all(list(entry) == list(SHIPPED["models"][0]) for entry in SHIPPED["models"])
    assert set(fields) == set(SHIPPED["models"][0])
    ids = [entry["id"] for entry in SHIPPED["models"]]
    assert len(set(ids)) == len(ids)
    assert len({entry["repository"] for entry in SHIPPED["models"]}) == len(ids)


def test_the_models_of_the_record_come_first_and_have_its_numbers() -> None:
    first = SHIPPED["models"][: len(RECORD)]
    assert {e["id"]: (e["download_bytes"], e["memory_gb"]) for e in first} == RECORD


def test_what_is_shipped_is_complete() -> None:
    registry = load_registry()
    assert list(registry.models) == [entry["id"] for entry in SHIPPED["models"]]
    for entry in registry:
        assert entry.as_json() == next(e for e in SHIPPED["models"] if e["id"] == entry.id)
        for name in COMPLETE:
            assert getattr(entry, name) is not None, f"{entry.id} has no {name}"
        assert entry.replaced_by is None or entry.replaced_by in registry
        assert (entry.max_output or 1) <= entry.context_window  # type: ignore[operator]
        # 4 bits and a scale and bias of 16 for each 64 weights, and no less
        assert entry.download_bytes > entry.parameters * 0.5  # type: ignore[operator]


def test_sizes_and_parameters_agree() -> None:
    for entry in load_registry():
        assert entry.config is not None
        counts = set()
        for tied in (True, False):
            config = {"tie_word_embeddings": tied, **entry.config, "model_type": entry.model_type}
            counts.add(sum(math.prod(one) for one in checkpoint_shapes.shapes(config).values()))
        assert any(abs(count / entry.parameters - 1) < 3e-4 for count in counts), entry.id  # type: ignore[operator]


def test_active_parameters_are_what_the_engine_reads() -> None:
    """Of files whose experts have the bits of the rest: bytes are as parameters then."""
    for entry in load_registry():
        alike = {key: value for key, value in (entry.config or {}).items() if key != "quantization"}
        known = entry_footprint(replace(entry, config=alike))
        assert known is not None, entry.id
        share = known.active_weights / known.weights
        active = (entry.active_parameters or entry.parameters or 0) / (entry.parameters or 1)
        assert share == pytest.approx(active, rel=0.01), entry.id


def test_what_replaces_a_model_is_newer_and_is_current() -> None:
    registry = load_registry()
    for entry in registry:
        assert entry.deprecated == (entry.replaced_by is not None)
        if entry.replaced_by:
            other = registry.require(entry.replaced_by)
            assert not other.deprecated
            assert other.release_date > entry.release_date  # type: ignore[operator]


COMPLETE = (
    "family",
    "model_type",
    "parameters",
    "download_bytes",
    "memory_gb",
    "context_window",
    "config",
    "use_case",
    "licence",
    "release_date",
)
BASE = {"id": "m", "repository": "o/r"}
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 99,
}
PACKAGE = {"name": "a-b", "version": "1.0", "file": "a_b/m.Q4_1.gguf", "sha256": "f" * 64}
WRONG: list[dict[str, Any]] = [
    {"id": "m"},
    {"repository": "o/r"},
    {**BASE, "surprise": 1},
    *(
        {**BASE, "id": one}
        for one in (
            "", ".", "..", "../x", "a/b", "a\\b", "A", "a b", "-a", "a-", "a.", ".hidden", "x" * 65,
            "a\x1b[2J", "a\n", "ä", "convergio-guide", None, 1, ["a"],
        )
    ),
    *(
        {**BASE, "repository": one}
        for one in ("", "r", "o/r/x", "../r", "o/..", "o/a..b", "o//r", "o/r\n", "o/r?x=1", None, 2)
    ),
    *({**BASE, "display_name": one} for one in ("", "a\x1b[2Jb", "a\nb", "x" * 201, None, 3)),
    *({**BASE, "parameters": one} for one in (0, -1, 1.5, True, "1", 1 << 60)),
    *({**BASE, "memory_gb": one} for one in (0, -2.5, "8", False)),
    *({**BASE, "tools": one} for one in (None, 0, "true")),
    *({**BASE, "languages": one} for one in ([], ["EN"], ["en", "en"], "en", [1], [None])),
    *({**BASE, "purpose": one} for one in (None, "smallest", 1)),
    *(
        {**BASE, "release_date": one}
        for one in ("2025-13-01", "2025-1-1", "20250101", 20250101, "2025-01-01T00:00", "x")
    ),
    *({**BASE, "model_type": one} for one in ("", "Llama", "a/b", 1)),
    *({**BASE, "replaced_by": one} for one in ("", "../x", 1)),
    *({**BASE, "revision": one} for one in ("main", "a" * 39, "A" * 40, "../" + "a" * 37, 1)),
    *(
        {**BASE, "revision": "a" * 40, "sha256": one}
        for one in (
            {}, [], {"a": "b"}, {"../config.json": "a" * 64}, {"a/b": "a" * 64},
            {".x": "a" * 64}, {"config.json": "A" * 64}, {"config.json": None},
        )
    ),
    *(
        {**BASE, "config": one}
        for one in (
            {}, [], {"hidden_size": 1}, {**SIZES, "vocab_size": 0}, {**SIZES, "vocab_size": "9"},
            {**SIZES, "Rope": 1}, {**SIZES, "": 1}, {**SIZES, "a\n": 1},
            {**SIZES, **{f"a{n}": 1 for n in range(99)}}, {**SIZES, "sliding_window": 0},
            {**SIZES, "head_dim": None},
        )
    ),
    {**BASE, "package": PACKAGE},
    {"id": "m", "repository": None},
    {"id": "m", "package": PACKAGE, "revision": "a" * 40},
    {"id": "m", "package": PACKAGE, "revision": "a" * 40, "sha256": {"config.json": "a" * 64}},
    *(
        {"id": "m", "package": one}
        for one in (
            {}, "a-b", [PACKAGE], {**PACKAGE, "size": 1}, {**PACKAGE, "name": "-r"},
            {**PACKAGE, "name": "a b"}, {**PACKAGE, "name": "a\n"}, {**PACKAGE, "version": "*"},
            {**PACKAGE, "version": "1.*"}, {**PACKAGE, "version": "1 --index-url x"},
            {**PACKAGE, "file": "../m.gguf"}, {**PACKAGE, "file": "/m.gguf"},
            {**PACKAGE, "file": "a//m.gguf"}, {**PACKAGE, "file": "a/m.bin"},
            {**PACKAGE, "sha256": "F" * 64},
            {**PACKAGE, "sha256": None}, {k: v for k, v in PACKAGE.items() if k != "sha256"},
        )
    ),
    {**BASE, "sha256": {"config.json": "a" * 64}},
    {**BASE, "revision": None, "sha256": {"config.json": "a" * 64}},
]  # fmt: skip


@pytest.mark.parametrize("entry", WRONG, ids=lambda entry: ascii(entry)[:60])
def test_what_the_schema_refuses_the_program_refuses(entry: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(registry_of(entry))
    if entry.get("id") != "convergio-guide":  # that one is refused where files are read
        with pytest.raises(ValueError):
            RegistryEntry.parse(entry)


def test_what_the_schema_takes_the_program_takes() -> None:
    nulls = [
        name
        for name, rule in SCHEMA["$defs"]["entry"]["properties"].items()
        if "null" in rule.get("type", ()) and name != "repository"
    ]
    taken = [
        BASE,
        {**BASE, **dict.fromkeys(nulls)},
        {**BASE, "id": "a.b_c-9", "memory_gb": 0.5, "revision": "0" * 40},
        {**BASE, "revision": "0" * 40, "sha256": {"config.json": "f" * 64}},
        {**BASE, "release_date": "2024-02-29", "languages": ["en", "yue"]},
        {"id": "m", "package": PACKAGE},
        {"id": "m", "package": PACKAGE, "repository": None, "revision": None, "sha256": None},
        {"id": "m", "package": {**PACKAGE, "version": "1.0.post1+cpu"}},
        {**BASE, "config": SIZES},
        {**BASE, "config": {**SIZES, "head_dim": 32, "sliding_window": 512}},
        {**BASE, "config": {**SIZES, "layer_types": ["full_attention"], "attention_bias": False}},
    ]
    VALIDATOR.validate(registry_of(*taken))
    for entry in taken:
        made = RegistryEntry.parse(entry)
        assert RegistryEntry.parse(made.as_json()) == made


def test_a_file_that_names_its_schema_is_taken() -> None:
    text = json.dumps({"$schema": "x", **registry_of(BASE)})
    VALIDATOR.validate(json.loads(text))
    assert parse(text.encode()) == [BASE]
