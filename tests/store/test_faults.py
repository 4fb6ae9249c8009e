"""A hub that refuses, breaks off, stalls or lies: what is tried again, and what is said."""

import gzip
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convergio_mlx import store
from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    ModelCorruptError,
    ModelNotFoundError,
    NetworkError,
    NetworkSettingsError,
    RateLimitError,
)
from convergio_mlx.store import hub as hub_module
from convergio_mlx.store import retries
from hub import TOKEN, Fault, Hub
from store.models import MODEL, REPOSITORY, contents, sharded, wanted

SHARD = "model-00001-of-00002.safetensors"
LISTING = "/api/models/"


def refused(kind: type[ConvergioError]) -> str:
    """The whole sentence that the download ends with; nothing is installed."""
    with pytest.raises(kind) as raised:
        store.download(MODEL)
    assert type(raised.value) is kind
    assert store.installed() == []
    text = str(raised.value)
    assert text.isprintable()
    return text


# What passes is tried again.


@pytest.mark.slow
@pytest.mark.parametrize("path", [LISTING, "/resolve/", "/cdn/", "tokenizer.json"])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_what_passes_is_tried_again(hub: Hub, folder: Path, path: str, status: int) -> None:
    hub.faults = [Fault(path, times=3, status=status)]
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_stands_behind_a_redirect_may_have_expired(hub: Hub, status: int) -> None:
    hub.faults = [Fault("/cdn/", times=2, status=status)]
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("path", ["/cdn/", "/tokenizer.json", LISTING])
def test_a_connection_that_breaks_goes_on_where_it_broke(hub: Hub, folder: Path, path: str) -> None:
    hub.faults = [Fault(path, times=4, cut_after=10)]
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    if path == "/cdn/":
        ranges = [one.range for one in hub.asked_for("/cdn/")]
        assert ranges[:5] == [None, "bytes=10-", "bytes=20-", "bytes=30-", "bytes=40-"]


def test_progress_begins_the_count_of_tries_anew(hub: Hub) -> None:
    hub.faults = [Fault("/cdn/", times=4 * retries.TRIES, cut_after=100)]
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


def test_a_hub_that_stalls(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.faults = [Fault("/cdn/", times=2, stalls=0.4)]
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


def test_pauses_are_told_and_are_as_long_as_the_hub_asks(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retries, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(retries, "FIRST_PAUSE", 1.0)
    hub.faults = [
        Fault("/cdn/", status=429, headers={"Retry-After": "7"}),
        Fault("/cdn/", times=2, status=503),
    ]
    told: list[store.Progress] = []
    store.download(MODEL, on_progress=told.append)
    assert slept == [7, 2, 4]
    notes = [one.note for one in told if one.stage == "retrying"]
    assert notes == [
        "the hub takes no more requests from here for now; again in 7 s",
        f"the hub at {hub.url} answers 500 for {REPOSITORY!r}; again in 2 s",
        f"the hub at {hub.url} answers 500 for {REPOSITORY!r}; again in 4 s",
    ]


# What does not pass is said.


def test_a_hub_that_stays_out_of_order(hub: Hub) -> None:
    hub.faults = [Fault(LISTING, times=99, status=503)]
    assert refused(NetworkError) == (
        f"[store] the hub at {hub.url} answers 503 for {REPOSITORY!r}; try again later, or check "
        "HF_ENDPOINT."
    )
    assert len(hub.asked_for(LISTING)) == retries.TRIES


def test_a_limit_that_lasts(hub: Hub) -> None:
    hub.faults = [Fault(LISTING, times=99, status=429, headers={"Retry-After": "300"})]
    assert refused(RateLimitError) == (
        "[store] the hub takes no more requests from here for now; run the same again in 300 s, or "
        "set HF_TOKEN, which raises the limit."
    )
    assert len(hub.asked_for(LISTING)) == 1
    with pytest.raises(RateLimitError) as raised:
        store.download(MODEL)
    assert raised.value.retry_after_ms == 300_000


def test_no_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    sentence = refused(NetworkError)
    assert sentence.startswith("[store] the hub at http://127.0.0.1:9 cannot be reached (")
    assert sentence.endswith(
        "); check the network, HTTPS_PROXY and HF_ENDPOINT, and run the same again to go on."
    )


def test_a_proxy_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub does duty as the proxy: it is asked for another host's address."""
    from huggingface_hub import close_session

    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    close_session()
    try:
        hub.repositories[REPOSITORY].files = {
            name: data
            for name, data in wanted(hub.repositories[REPOSITORY]).items()
            if not name.endswith(("safetensors", "index.json"))
        }
        with pytest.raises(ModelCorruptError):  # no weights there, but the listing came
            store.download(MODEL)
    finally:
        close_session()
    assert {one.host for one in hub.asked_for(LISTING)} == {"hub.invalid"}


def test_a_gated_repository(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repositories[REPOSITORY].gated = True
    sentence = (
        f"[store] {REPOSITORY!r} is gated; accept its licence at {hub.url}/{REPOSITORY} with your "
        "account, then set HF_TOKEN to a token of that account and download again."
    )
    assert refused(AuthError) == sentence
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert refused(AuthError) == sentence


def test_a_refusal_that_is_no_gate_says_what_the_hub_says(hub: Hub) -> None:
    hub.faults = [
        Fault(LISTING, status=403, headers={"X-Error-Message": "Blocked in your region\x9b2J"})
    ]
    assert refused(AuthError) == (
        f"[store] the hub refuses {REPOSITORY!r} with status 403 (Blocked in your region\\x9b2J); "
        "check HF_TOKEN, HF_ENDPOINT and proxies."
    )


def test_a_listing_that_is_packed_out_of_all_proportion(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_LARGEST_LISTING", 1 << 20)
    body = gzip.compress(b" " * (50 << 20))
    hub.faults = [Fault(LISTING, 99, body=body, headers={"Content-Encoding": "gzip"})]
    assert "(the answer has more than 1048576 bytes)" in refused(NetworkError)


@pytest.mark.parametrize("name", [7, None, ["model.safetensors"], {}, True, 1.5])
def test_names_that_are_no_texts(hub: Hub, name: object) -> None:
    hub.repositories[REPOSITORY].extra = [{"rfilename": name, "size": 3, "blobId": "0" * 40}]
    assert "is no listing of a repository" in refused(NetworkError)


def test_user_and_password_of_the_endpoint_are_used_and_never_shown(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    address = hub.url.replace("//", "//someone:pass%2Fw0rd@")
    monkeypatch.setenv("HF_ENDPOINT", address)
    hub.accepts = "Basic c29tZW9uZTpwYXNzL3cwcmQ="
    told: list[store.Progress] = []
    hub.faults = [Fault("/cdn/", status=503)]
    store.download(MODEL, on_progress=told.append)
    assert {one.token for one in hub.asked_for("/resolve/")} == {hub.accepts}
    assert {one.token for one in hub.asked_for("/cdn/")} == {None}
    said = [str(told), caplog.text, (folder / "receipt.json").read_text()]
    store.delete(MODEL)
    for path, status in ((LISTING, 503), (LISTING, 404), ("/resolve/", 403), ("/resolve/", 401)):
        hub.faults = [Fault(path, times=99, status=status)]
        with pytest.raises(ConvergioError) as raised:
            store.download(MODEL)
        said += [str(raised.value), str(raised.value.hint)]
    hub.faults = []
    monkeypatch.setenv("HF_ENDPOINT", "http://someone:pass%2Fw0rd@127.0.0.1:9")
    said.append(refused(NetworkError))
    monkeypatch.setenv("HF_ENDPOINT", "http://someone:pass%2Fw0rd@[::1")
    said.append(refused(NetworkSettingsError))
    assert not [text for text in said if "pass" in text or "someone" in text]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://user:secret@127.0.0.1:9"),
        ("ALL_PROXY", "odd://user:secret@127.0.0.1:9"),
        ("SSL_CERT_FILE", "/nowhere/secret"),
    ],
)
def test_settings_that_cannot_be_used(
    hub: Hub, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import close_session

    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed
    close_session()
    try:
        sentence = refused(NetworkSettingsError)
    finally:
        close_session()
    assert sentence.startswith(f"[store] the hub at {hub.url} cannot be asked (the settings of ")
    assert "user" not in sentence
    assert not hub.requests


@pytest.mark.parametrize(
    "address", ["huggingface.co", "x", "ftp://a.b", "http://", "https://:443", "http://a.b:99999"]
)
def test_an_endpoint_that_is_no_address_is_told_at_once(
    hub: Hub, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    told: list[store.Progress] = []
    with pytest.raises(NetworkSettingsError) as raised:
        store.download(MODEL, on_progress=told.append)
    assert str(raised.value).startswith(
        f"[store] HF_ENDPOINT {address.rstrip('/')!r} is no address ("
    )
    assert str(raised.value).endswith("); correct or unset it.")
    assert not [one for one in told if one.stage == "retrying"]
    assert not hub.requests


def test_a_token_that_is_not_taken(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert refused(AuthError) == (
        f"[store] the hub does not take the token for {REPOSITORY!r}; set HF_TOKEN to one that may "
        "read it."
    )


def test_no_such_repository(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token the hub does not tell it from one that is private."""
    hub.repositories.clear()
    assert refused(AuthError) == (
        f"[store] the hub has no public repository {REPOSITORY!r}; check its name, or set HF_TOKEN "
        "to a token that may read it."
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert refused(ModelNotFoundError) == (
        f"[store] {REPOSITORY!r} is not on the hub ({hub.url}); check the registry's entry and "
        "HF_ENDPOINT."
    )


def test_a_file_that_is_not_there(hub: Hub) -> None:
    hub.repositories[REPOSITORY].extra = [
        {"rfilename": "added_tokens.json", "size": 3, "blobId": "0" * 40}
    ]
    assert refused(ModelNotFoundError) == (
        f"[store] {REPOSITORY!r} does not have a file that its listing names ({hub.url}); check "
        "the registry's entry and HF_ENDPOINT."
    )


# Lies about bytes.


@pytest.mark.parametrize("name", ["tokenizer.json", SHARD])
def test_other_bytes_of_the_same_length(hub: Hub, name: str) -> None:
    data = bytearray(hub.repositories[REPOSITORY].files[name])
    data[-1] ^= 1
    path = "/cdn/" if name == SHARD else name
    hub.faults = [Fault(path, times=2, body=bytes(data))]
    sentence = refused(ModelCorruptError)
    assert re.fullmatch(
        rf"\[store\] what the hub sends as '{name}' of '{REPOSITORY}' has SHA-256 [0-9a-f]{{64}} "
        r"where (git id [0-9a-f]{40}|[0-9a-f]{64}) was expected; it is thrown away, so check "
        r"HF_ENDPOINT and proxies, and try again\.",
        sentence,
    )
    assert store.partial_bytes(MODEL) < 200_000
    hub.faults = []
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


def test_bytes_that_were_changed_once_on_their_way(hub: Hub) -> None:
    data = bytes(len(hub.repositories[REPOSITORY].files[SHARD]))
    hub.faults = [Fault("/cdn/", body=data)]
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


def test_a_beginning_that_was_changed_on_the_disk(hub: Hub, folder: Path) -> None:
    """What an interrupted download left is hashed, not trusted."""
    hub.faults = [Fault("/cdn/", times=99, cut_after=0)]
    refused(NetworkError)
    part = folder.parent / ".partial" / MODEL / f"{SHARD}.part"
    part.write_bytes(b"x" * 1000)
    hub.faults = []
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    first = hub.repositories[REPOSITORY].files[SHARD]
    part.parent.mkdir()
    store.delete(MODEL)
    part.parent.mkdir()
    part.write_bytes(first + b"more than there is")
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault("/cdn/", body=b"<html>Please log in</html>"), "26 bytes"),
        (Fault("/cdn/", headers={"Content-Length": "1000000"}), "1000000 bytes"),
        (Fault("/tokenizer.json", body=b"x" * 99), "99 bytes"),
        (Fault("/cdn/", headers={"Content-Length": "-1"}), "bad Content-Length"),
        (Fault("/tokenizer.json", headers={"Content-Length": "\x9b31m"}), "bad Content-Length"),
    ],
    ids=["login page", "too long", "other file", "negative", "control"],
)
def test_other_lengths_than_listed(hub: Hub, fault: Fault, what: str) -> None:
    fault.times = 99
    hub.faults = [fault]
    with pytest.raises((ModelCorruptError, NetworkError)) as raised:
        store.download(MODEL)
    assert what in str(raised.value)
    assert str(raised.value).isprintable()
    assert store.installed() == []


def test_a_body_without_a_length_that_does_not_end(hub: Hub) -> None:
    """Taken no further than the size of the listing."""
    hub.faults = [Fault("/cdn/", body=b"x" * 5_000_000, chunked=True)]
    sentence = refused(ModelCorruptError)
    assert "the hub sends more bytes of 'model-00001-of-00002.safetensors'" in sentence
    assert store.partial_bytes(MODEL) < 200_000


def test_ranges_that_are_ignored(hub: Hub, folder: Path) -> None:
    """Then it begins anew, rather than append a beginning to a beginning."""
    hub.faults = [
        Fault("/cdn/", cut_after=1000),
        Fault("/cdn/", ignores_range=True),
    ]
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])


def test_a_part_that_does_not_say_which(hub: Hub, folder: Path) -> None:
    """As some proxies send it: it begins anew, and asks for no further parts of that file."""
    hub.faults = [
        Fault("/cdn/", cut_after=1000),
        Fault("/cdn/", hides_range=True),
        Fault("/cdn/", cut_after=500),
    ]
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    asked = [one.range for one in hub.asked_for("/cdn/")]
    assert asked == [None, "bytes=1000-", None, None, None]


def test_another_range_than_asked_for(hub: Hub) -> None:
    size = len(hub.repositories[REPOSITORY].files[SHARD])
    hub.faults = [
        Fault("/cdn/", cut_after=1000),
        Fault("/cdn/", headers={"Content-Range": f"bytes 0-{size - 1}/{size}"}),
    ]
    assert refused(ModelCorruptError).startswith("[store] the hub sends ")


def test_a_range_that_cannot_be_had(hub: Hub) -> None:
    hub.faults = [Fault("/cdn/", cut_after=1000), Fault("/cdn/", status=416)]
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


def test_bytes_that_are_encoded_though_nobody_asked(hub: Hub) -> None:
    data = gzip.compress(hub.repositories[REPOSITORY].files["tokenizer.json"])
    hub.faults = [Fault("/tokenizer.json", 99, body=data, headers={"Content-Encoding": "gzip"})]
    refused(ModelCorruptError)


def test_redirects_without_end(hub: Hub) -> None:
    headers = {"Location": f"{hub.url}/cdn/{'0' * 64}"}
    hub.faults = [Fault("/cdn/", times=10_000, status=302, headers=headers)]
    assert "cannot be reached" in refused(NetworkError)


# Lies about names and sizes.


@pytest.mark.parametrize(
    "name",
    [
        "model\x1b[2J.safetensors",
        "model\r.safetensors",
        "model\x9b31m.safetensors",
        "model\u202e.safetensors",
        "model .safetensors",
        "model\\..\\x.safetensors",
        "model:stream.safetensors",
        "modelé.safetensors",
        f"model{'x' * 300}.safetensors",
        "model\x00.safetensors",
    ],
)
def test_names_that_are_not_safe(hub: Hub, folder: Path, name: str) -> None:
    hub.repositories[REPOSITORY].files[name] = b"x"
    sentence = refused(ModelCorruptError)
    assert sentence.startswith(f"[store] the repository {REPOSITORY!r} names a file 'model")
    assert sentence.endswith(
        ", which is not safe on every disk and terminal; take another repository."
    )
    assert not folder.parent.exists() or not list(folder.parent.glob(".partial/*/*"))


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/tmp/model.safetensors",
        "../../../../tmp/config.json",
        "..",
        ".",
        "",
        "a/../../config.json",
        "model/../x.safetensors",
        "config.json/x",
        "model.safetensors/..",
    ],
)
def test_names_that_lead_elsewhere_are_not_wanted(
    hub: Hub, home: Path, folder: Path, name: str
) -> None:
    hub.repositories[REPOSITORY].extra = [{"rfilename": name, "size": 3, "blobId": "0" * 40}]
    store.download(MODEL)
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    around = {path.name for path in home.parent.rglob("*") if path.is_file()}
    assert around <= {
        *contents(folder),
        "receipt.json",
        f"{MODEL}.lock",
        f"{MODEL}.json",
        "agent_harnesses.json",
    }


def test_two_names_that_are_one_on_some_disks(hub: Hub) -> None:
    files = hub.repositories[REPOSITORY].files
    files["model-00001-OF-00002.safetensors"] = b"x"
    del files["model.safetensors.index.json"]
    assert refused(ModelCorruptError) == (
        f"[store] the repository {REPOSITORY!r} names both 'model-00001-OF-00002.safetensors' and "
        "'model-00001-of-00002.safetensors', which are one file on some disks; take another "
        "repository."
    )


@pytest.mark.parametrize(
    "listing",
    [
        {"size": None},
        {"size": -1},
        {"size": "9"},
        {"size": 1.5},
        {"blobId": None},
        {"blobId": "../" * 13 + "x"},
        {"blobId": "A" * 40},
        {"lfs": {"sha256": "x", "size": 1, "pointerSize": 1}},
        {"lfs": {"sha256": 7, "size": 1, "pointerSize": 1}},
        {"lfs": {"size": 1}},
        {"lfs": 7},
        {"size": 1 << 40},
    ],
    ids=str,
)
def test_listings_that_cannot_be(hub: Hub, listing: dict[str, Any]) -> None:
    hub.repositories[REPOSITORY].listing["tokenizer.json"] = listing
    with pytest.raises((ModelCorruptError, NetworkError)) as raised:
        store.download(MODEL)
    assert "listing" in str(raised.value)
    assert not hub.asked_for("/resolve/")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"id": 1, "siblings": 2}', b'"x"', b"[" * 99_999],
    ids=lambda body: body[:10].decode(),
)
def test_answers_that_are_no_listing(hub: Hub, body: bytes) -> None:
    hub.faults = [Fault(LISTING, times=99, body=body)]
    with pytest.raises((ModelCorruptError, NetworkError)) as raised:
        store.download(MODEL)
    assert str(raised.value).startswith("[store] the hub")


def test_a_revision_that_is_none(hub: Hub) -> None:
    told = b'{"id": "x", "sha": "main/../..", "siblings": []}'
    hub.faults = [Fault(LISTING, body=told)]
    assert refused(ModelCorruptError) == (
        f"[store] the hub answers with revision 'main/../..' of {REPOSITORY!r} where a commit was "
        "asked for; check HF_ENDPOINT."
    )


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "weights"])
def test_a_repository_that_is_no_model(hub: Hub, name: str) -> None:
    repository = sharded()
    for one in list(repository.files):
        if one == name or (name == "weights" and one.startswith("model")):
            del repository.files[one]
    hub.repositories[REPOSITORY] = repository
    missing = "model.safetensors" if name == "weights" else name
    assert refused(ModelCorruptError).startswith(
        f"[store] the repository {REPOSITORY!r} has no {missing}; take a repository or folder with "
    )
