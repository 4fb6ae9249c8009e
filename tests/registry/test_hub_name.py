"""Names of the hub's repositories, and the ids that models are installed under."""

import pytest

from convergio_mlx.errors import ModelNotFoundError
from convergio_mlx.registry import load_registry
from convergio_mlx.registry.checks import is_id
from convergio_mlx.registry.hub_name import HubName

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("hf:mlx-community/Qwen3-0.6B-4bit", "mlx-community--qwen3-0.6b-4bit"),
        ("hf:a/b@main", "a--b--main"),
        ("hf:a/b@v1.0", "a--b--v1.0"),
        (f"hf:a/b@{COMMIT}", "a--b--0123456789ab"),
    ],
)
def test_an_id_is_the_name_in_small_letters(name: str, model: str) -> None:
    parsed = HubName.parse(name)
    assert parsed is not None
    assert parsed.id == model
    assert str(parsed) == name


def test_every_name_makes_an_id_and_no_two_the_same() -> None:
    names = [
        *(f"hf:a/b@{one}" for one in ("V1", "v1", "x-", "X-", "refs/pr/1", "refs-pr-1")),
        f"hf:{'o' * 60}/{'n' * 60}",
        f"hf:{'o' * 60}/{'n' * 61}",
        "hf:a/b_",
    ]
    ids = [HubName.parse(name).id for name in names]  # type: ignore[union-attr]
    assert all(map(is_id, ids)), ids
    assert len(set(ids)) == len(ids)
    assert HubName.parse("hf:A/B").id == HubName.parse("hf:a/b").id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    [
        "hf:", "hf:a", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:a/b..c", "hf:/a/b", "hf:a//b",
        "hf:a/b@", "hf:a/b@../x", "hf:a/b@x/../y", "hf:a/b@-x", "hf:a/b@x?y=1", "hf:a/b@x#y",
        "hf:a/b@x@y", "hf:a/b@x\n", "hf:a/b\n", "hf:a\\b/c", "hf:a/b@x/", "hf:a/b@" + "x" * 101,
        "hf:ä/b", "hf:a/b\0", "hf:.a/b", "hf:a b/c", "hf:a--b/c",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"names no repository of the hub; give hf:owner"):
        HubName.parse(name)


def test_a_repository_of_the_registry_has_the_registrys_id() -> None:
    registry = load_registry()
    name = "hf:mlx-community/llama-3.2-1b-instruct-4BIT"
    assert registry.get(name) is registry.require("llama-3.2-1b")
    assert registry.id_of(name) == "llama-3.2-1b"
    assert registry.id_of("mlx/llama-3.2-1b") == "llama-3.2-1b"
    other = registry.require(f"{name}@main")
    assert other.id == "mlx-community--llama-3.2-1b-instruct-4bit--main"
    assert name not in registry.models
