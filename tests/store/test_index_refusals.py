"""What pip 23 to 26 and uv 0.13 say when they fail, and what becomes of it."""

import pytest

from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    ModelCorruptError,
    ModelNotFoundError,
    NetworkError,
    NetworkSettingsError,
    StorageError,
)
from convergio_mlx.registry import Package
from convergio_mlx.store.index_refusals import refusal

PACKAGE = Package("a-b", "1.0", "a_b/m.gguf", "0" * 64)
NONE = "ERROR: Could not find a version that satisfies the requirement a-b==1.0 (from versions: "
URL = "https://user:****@index.example/simple/a-b/"


@pytest.mark.parametrize(
    ("manager", "said", "error", "words"),
    [
        (
            "pip",
            f"Could not fetch URL {URL}: 404 Client Error: Not Found for url: {URL} - skipping\n"
            f"{NONE}none)\nERROR: No matching distribution found for a-b==1.0\n",
            ModelNotFoundError,
            "the package index has no a-b 1.0; check the index that pip is set to use",
        ),
        (
            "pip",
            f"{NONE}0.1, 0.2)\nERROR: No matching distribution found for a-b==1.0\n",
            ModelNotFoundError,
            "the package index has no a-b 1.0 but 0.1, 0.2; check",
        ),
        (
            "pip",
            f"Could not fetch URL {URL}: connection error: HTTPSConnectionPool(host='index.example'"
            f") - skipping\n{NONE}none)\nERROR: No matching distribution found for a-b==1.0\n",
            NetworkError,
            "cannot be reached (https://***@index.example/simple/a-b/: connection error",
        ),
        (
            "pip",
            f"Could not fetch URL {URL}: 401 Client Error: Unauthorized for url: {URL} - skipping\n"
            f"{NONE}none)\n",
            AuthError,
            "refuses a-b 1.0 with status 401; check the credentials that pip",
        ),
        (
            "pip",
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n",
            ModelCorruptError,
            "has another hash than the index or the registry says",
        ),
        (
            "pip",
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device\n",
            StorageError,
            "the disk is full, so pip cannot download a-b 1.0",
        ),
        (
            "pip",
            "ERROR: Could not open requirements file: [Errno 2] /etc/constraints.txt\n",
            NetworkSettingsError,
            "pip cannot download a-b 1.0 (Could not open requirements file: [Errno 2]",
        ),
        (
            "uv",
            "error: Request failed after 3 retries in 7.4s\n"
            "  cause: Failed to fetch: http://127.0.0.1:9/simple/a-b/\n  cause: Connection refused",
            NetworkError,
            "cannot be reached (Failed to fetch: http://127.0.0.1:9/simple/a-b/)",
        ),
        (
            "uv",
            "error: No solution found when resolving dependencies\n"
            "  cause: Because there is no version of a-b==1.0 and you require a-b==1.0, we can "
            "conclude that your requirements are unsatisfiable.\n",
            ModelNotFoundError,
            "no a-b 1.0; check the index that uv",
        ),
        ("uv", "\x1b[31m\n", NetworkSettingsError, "uv cannot download a-b 1.0 (\\x1b[31m)"),
        ("pip", "", NetworkSettingsError, "pip cannot download a-b 1.0 (it says nothing)"),
    ],
)
def test_it_is_a_typed_error_in_words(
    manager: str, said: str, error: type[ConvergioError], words: str
) -> None:
    made = refusal(PACKAGE, manager, said)
    assert type(made) is error
    assert words in str(made)
    assert str(made).startswith("[store] ")
    assert str(made).endswith(".")
    assert str(made).isprintable()
