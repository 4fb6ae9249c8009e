"""The person's choices: kept whole, whatever happens to the file."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from convergio_mlx.errors import InvalidRequestError, StorageError
from convergio_mlx.platform import user_config
from convergio_mlx.platform.user_config import UserConfig, config_file, load_config, save


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write(text: str | bytes) -> Path:
    path = config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_no_file_is_no_choice(home: Path) -> None:
    assert load_config() == UserConfig()
    assert not home.exists()


def test_choices_are_kept(home: Path) -> None:
    save(default_model="llama-3.2-1b", offline=True)
    save(options={"temperature": 0.5, "max_tokens": 100})
    assert load_config() == UserConfig(
        "llama-3.2-1b", True, {"temperature": 0.5, "max_tokens": 100}
    )
    save(default_model=None, offline=False)
    assert load_config() == UserConfig(None, False, {"temperature": 0.5, "max_tokens": 100})
    assert sorted(path.name for path in home.iterdir()) == [".config.lock", "config.json"]


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    write("{}")
    (config_file().parent / ".config.lock").symlink_to(other)
    with pytest.raises(StorageError):
        save(offline=True)
    assert other.read_text() == "kept"


def test_a_pipe_in_place_of_the_lock_is_not_waited_for() -> None:
    write("{}")
    os.mkfifo(config_file().parent / ".config.lock")
    save(offline=True)
    assert load_config().offline


def test_unknown_keys_and_their_order_stay() -> None:
    write('{"zebra": [1, {"ä": null}], "default_model": "a", "apple": true}')
    save(default_model="b")
    assert list(json.loads(config_file().read_text()).items()) == [
        ("zebra", [1, {"ä": None}]),
        ("default_model", "b"),
        ("apple", True),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON (Expecting property name enclosed in double quotes: line 1 column 2"),
        ("", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("[1]", "is not a JSON object"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        ("[" * 100_000, "is not JSON ("),
    ],
)
def test_a_damaged_file_is_reported_and_left_alone(text: str | bytes, why: str) -> None:
    path = write(text)
    before = path.read_bytes()
    found = load_config()
    assert found == UserConfig(problems=found.problems)
    assert found.problems[0].startswith(f"[config] {str(path)!r} is ignored: it {why}")
    with pytest.raises(InvalidRequestError) as refused:
        save(default_model="x")
    assert str(refused.value).startswith(f"[config] {str(path)!r} {why}")
    assert str(refused.value).endswith(", so it is left as it is; correct it or move it away.")
    assert path.read_bytes() == before


def test_what_makes_no_sense_is_ignored_alone() -> None:
    path = write(
        json.dumps(
            {
                "default_model": "a\x1b[2J",
                "offline": "yes",
                "options": {"temperature": "hot", "top_k": 1.5, "seed": 3, "volume": 11},
            }
        )
    )
    found = load_config()
    assert (found.default_model, found.offline, dict(found.options)) == (None, False, {"seed": 3})
    shown = repr(str(path))
    assert found.problems == (
        f"[config] default_model in {shown} is ignored: it is 'a\\x1b[2J', which must be a "
        "model's id or folder.",
        f"[config] offline in {shown} is ignored: it is 'yes', which must be true or false.",
        f"[config] temperature in {shown} is ignored: it is 'hot', which must be a number.",
        f"[config] top_k in {shown} is ignored: it is 1.5, which must be a whole number.",
        f"[config] the option 'volume' in {shown} is ignored; there are "
        f"{', '.join(user_config.OPTIONS)}.",
    )


def test_a_file_that_cannot_be_read() -> None:
    config_file().mkdir(parents=True)
    (problem,) = load_config().problems
    assert problem.endswith("is ignored: it cannot be read (Is a directory).")


def test_a_folder_that_cannot_be_written(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(StorageError) as refused:
        save(offline=True)
    assert str(refused.value) == (
        f"[config] {str(home / 'config.json')!r} cannot be written (File exists); make its folder "
        "writable, or set CONVERGIO_HOME to another."
    )


def _choose(name: str) -> None:
    save(**{name: os.getpid()})


def test_processes_do_not_lose_each_others_choices() -> None:
    names = [f"key{number}" for number in range(12)]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_choose, names)
    assert sorted(json.loads(config_file().read_text())) == sorted(names)
