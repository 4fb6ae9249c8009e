"""What the first download of a model was, the later ones have to be."""

import hashlib
import json
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import ModelCorruptError, ModelNotFoundError, StorageError
from hub import Hub
from store.models import MODEL, REPOSITORY, contents, sharded, wanted

SHARD = "model-00001-of-00002.safetensors"


def pin_in_registry(home: Path, **fields: object) -> None:
    home.mkdir(exist_ok=True)
    models = [{"id": MODEL, **fields}]
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": models}))


def test_a_first_download_is_recorded(hub: Hub, folder: Path) -> None:
    assert store.trust(MODEL) == store.Trust("none")
    found = store.download(MODEL)
    assert found.receipt is not None
    trust = store.trust(f"mlx/{MODEL}")
    assert (trust.kind, trust.revision) == ("first use", hub.repositories[REPOSITORY].revision)
    assert trust.since == found.receipt.installed_at
    assert trust.sha256 == {
        name: hashlib.sha256(data).hexdigest() for name, data in contents(folder).items()
    }
    store.delete(MODEL)
    assert store.trust(MODEL) == trust


def test_later_downloads_take_the_same_commit(hub: Hub, folder: Path) -> None:
    """The hub keeps what was; here it has only what is newest."""
    store.download(MODEL)
    first = hub.repositories[REPOSITORY]
    store.delete(MODEL)
    hub.requests.clear()
    store.download(MODEL)
    assert all(f"/revision/{first.revision}" in one.path for one in hub.asked_for("/api/"))
    store.delete(MODEL)
    hub.repositories[REPOSITORY] = sharded(50_000)
    with pytest.raises(ModelNotFoundError) as raised:
        store.download(MODEL)
    assert str(raised.value) == (
        f"[store] the hub does not have commit {first.revision} of {REPOSITORY!r} any more, which "
        f"the first download recorded; `convergio-mlx models download --newest {MODEL}` takes what "
        "is newest."
    )
    assert raised.value.hint == f"convergio-mlx models download --newest {MODEL}"
    store.download(MODEL, newest=True)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    assert store.trust(MODEL).revision == hub.repositories[REPOSITORY].revision


@pytest.mark.parametrize("name", [SHARD, "tokenizer.json"])
def test_other_bytes_at_the_same_commit_are_refused(hub: Hub, name: str) -> None:
    """A hub, or who stands between, that lies about a commit and is sound in itself."""
    store.download(MODEL)
    store.delete(MODEL)
    repository = hub.repositories[REPOSITORY]
    revision = repository.revision
    other = sharded()
    other.files[name] = bytes(reversed(other.files[name]))
    other.revision_is = revision
    hub.repositories[REPOSITORY] = other
    with pytest.raises(ModelCorruptError) as raised:
        store.download(MODEL)
    assert hashlib.sha256(repository.files[name]).hexdigest() in str(raised.value)
    assert store.installed() == []


def test_a_repair_without_a_receipt_is_held_to_it_too(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    before = contents(folder)
    other = sharded()
    other.files[SHARD] = bytes(reversed(other.files[SHARD]))
    other.revision_is = hub.repositories[REPOSITORY].revision
    hub.repositories[REPOSITORY] = other
    (folder / "receipt.json").write_text("damaged")
    with pytest.raises(ModelCorruptError, match="is what the first download recorded"):
        store.repair(MODEL)
    assert contents(folder) == before


def test_pins_of_the_registry_come_first(hub: Hub, home: Path) -> None:
    store.download(MODEL)
    store.delete(MODEL)
    hub.repositories[REPOSITORY] = sharded(50_000)
    repository = hub.repositories[REPOSITORY]
    pins = {name: hashlib.sha256(data).hexdigest() for name, data in wanted(repository).items()}
    pin_in_registry(home, revision=repository.revision, sha256=pins)
    assert store.trust(MODEL).kind == "pinned"
    assert store.download(MODEL).receipt is not None


def test_another_repository_or_revision_is_another_first_use(hub: Hub, home: Path) -> None:
    store.download(MODEL)
    store.delete(MODEL)
    pin_in_registry(home, revision="0" * 40)
    assert store.trust(MODEL).kind == "none"
    pin_in_registry(home, repository="someone/else")
    assert store.trust(MODEL).kind == "none"
    hub.repositories["someone/else"] = sharded(50_000)
    store.download(MODEL)
    assert store.trust(MODEL).kind == "first use"


def test_a_damaged_record_is_not_trusted(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    store.delete(MODEL)
    record = folder.parent / ".trusted" / f"{MODEL}.json"
    record.write_bytes(record.read_bytes().replace(b'"size": 2,', b'"size": 3,'))
    for attempt in (store.trust, store.download):
        with pytest.raises(StorageError) as raised:
            attempt(MODEL)
        assert str(raised.value) == (
            f"[store] what the first download of {MODEL!r} recorded is damaged; `convergio-mlx "
            f"models download --newest {MODEL}` forgets it and takes what is newest."
        )
    store.download(MODEL, newest=True)
    assert store.trust(MODEL).kind == "first use"


def test_what_is_not_in_the_registry_has_no_trust(home: Path) -> None:
    assert store.trust("mine").kind == "none"
    with pytest.raises(ModelNotFoundError):
        store.trust("../x")
