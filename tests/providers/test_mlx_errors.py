"""Each error code that the MLX provider can end with: how it comes about, and whether a retry
can help."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import convergio_mlx as cm
from convergio_mlx import ErrorCode, MlxProvider, ProviderErrorInfo, SamplingParams
from convergio_mlx.errors import ConvergioError
from convergio_mlx.platform.machine import Availability
from convergio_mlx.providers.memory_budget import FitMemory
from convergio_mlx.store.locate import guide_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small_models import make_model

GUIDE = "convergio-guide"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def expect(
    provider: MlxProvider, code: ErrorCode, retryable: bool, call: Callable[[], object]
) -> str:
    """The call ends with that code, last_error says the same, and the next request works."""
    with pytest.raises(ConvergioError) as caught:
        call()
    error = caught.value
    assert (error.code, error.retryable) == (code, retryable), error
    assert provider.last_error == ProviderErrorInfo(
        code, str(error), type(error).__name__, retryable
    )
    assert provider.chat(GUIDE, None, "hello", params=SamplingParams(max_tokens=2)).text
    assert provider.last_error.code == ErrorCode.OK
    return str(error)


def ask(provider: MlxProvider, model: object) -> Callable[[], object]:
    return lambda: provider.chat(
        str(model), None, "hello", params=SamplingParams(max_tokens=3, ignore_eos=True)
    )


def test_not_initialized() -> None:
    provider = MlxProvider()
    sentence = "[mlx] the provider is not initialized, or was shut down; call init()."
    for call in (ask(provider, GUIDE), lambda: provider.load(GUIDE), provider.loaded):
        with pytest.raises(ConvergioError) as caught:
            call()
        assert (caught.value.code, str(caught.value)) == (ErrorCode.NOT_INITIALIZED, sentence)


def test_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the C host's not_apple_silicon stands for: MLX cannot run here."""
    why = "[availability] MLX needs Apple silicon, and this Mac has an Intel processor."
    nothing = Availability("unavailable", None, (why,))
    monkeypatch.setattr("convergio_mlx.providers.mlx.availability", lambda: nothing)
    assert cm.mlx_provider_create() is None
    provider = MlxProvider()
    assert provider.validate_key() is False
    with pytest.raises(ConvergioError) as caught:
        provider.init()
    assert (caught.value.code, str(caught.value)) == (ErrorCode.UNAVAILABLE, why)
    assert not provider.initialized


def test_model_not_found(mlx: MlxProvider) -> None:
    said = expect(mlx, ErrorCode.MODEL_NOT_FOUND, False, ask(mlx, "mlx/qwen3-0.6b"))
    assert said.startswith("[models] 'qwen3-0.6b' is not downloaded yet; `convergio-mlx models ")


def test_model_corrupt(mlx: MlxProvider, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    expect(mlx, ErrorCode.MODEL_CORRUPT, False, ask(mlx, folder))


def test_load_failed(mlx: MlxProvider, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mamba"}))
    expect(mlx, ErrorCode.LOAD_FAILED, False, ask(mlx, folder))


def test_tokenizer_failed(mlx: MlxProvider, folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    expect(mlx, ErrorCode.TOKENIZER_FAILED, False, ask(mlx, folder))


def test_inference_failed(mlx: MlxProvider, tmp_path: Path) -> None:
    """Weights that are not numbers make logits that are none."""
    folder = make_model(tmp_path / "model")
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    numbers = np.frombuffer(data, np.float32, offset=start)
    numbers[:] = np.nan
    path.write_bytes(data)
    expect(mlx, ErrorCode.INFERENCE_FAILED, True, ask(mlx, folder))


def test_context_length(mlx: MlxProvider) -> None:
    long = SamplingParams(max_tokens=5000)
    expect(
        mlx, ErrorCode.CONTEXT_LENGTH, False, lambda: mlx.chat(GUIDE, None, "hello", params=long)
    )


def test_invalid_request(mlx: MlxProvider) -> None:
    odd = SamplingParams(temperature=-1)
    expect(
        mlx, ErrorCode.INVALID_REQUEST, False, lambda: mlx.chat(GUIDE, None, "hello", params=odd)
    )
    expect(
        mlx,
        ErrorCode.INVALID_REQUEST,
        False,
        lambda: mlx.chat(GUIDE, None, "hello", temperature=-1),
    )


def test_an_unknown_keyword_is_pythons_own_error(mlx: MlxProvider) -> None:
    for call in (mlx.chat, mlx.stream, mlx.astream):
        with pytest.raises(TypeError) as caught:
            call(GUIDE, None, "hello", max_token=5)  # type: ignore[call-arg]
        assert str(caught.value) == (
            f"MlxProvider.{call.__name__}() got an unexpected keyword argument 'max_token'"
        )


def test_sampling_options_are_keywords(mlx: MlxProvider) -> None:
    params = SamplingParams(temperature=0, max_tokens=3)
    wanted = mlx.chat(GUIDE, None, "hello", params=params)
    assert mlx.chat(GUIDE, None, "hello", temperature=0, max_tokens=3).text == wanted.text
    longer = mlx.chat(GUIDE, None, "hello", params=params, max_tokens=5, logprobs=2)
    assert longer.usage.output_tokens == 5
    assert [one.token_id for one in longer.logprobs] == list(longer.token_ids)
    assert all(len(one.top) == 2 for one in longer.logprobs)


def test_timeout(mlx: MlxProvider) -> None:
    expect(mlx, ErrorCode.TIMEOUT, True, lambda: mlx.chat(GUIDE, None, "hello", timeout=1e-6))


def test_out_of_memory_while_loading(tmp_path: Path) -> None:
    """Forced by a limit that the embedded model fits into and a larger one does not."""
    large = make_model(tmp_path / "large", intermediate_size=8000)
    limit = FitMemory().need(guide_folder()) + 1_000_000
    with MlxProvider(memory_bytes=limit) as provider:
        said = expect(provider, ErrorCode.OUT_OF_MEMORY, True, ask(provider, large))
    assert said.startswith(f"[mlx] {str(large)!r} needs 2")
    assert said.endswith(
        f" MB of memory and models may take {limit / 1e6:.0f} MB; allow them more, or take a "
        "smaller model."
    )


@pytest.mark.slow
def test_out_of_memory_while_generating(mlx: MlxProvider, tmp_path: Path) -> None:
    """Forced by a limit that the prompt's KV cache exceeds; then the same prompt works."""
    roomy = make_model(tmp_path / "roomy", num_hidden_layers=16, max_position_embeddings=6000)
    prompt = "hello there " * 400
    brief = SamplingParams(max_tokens=2, ignore_eos=True)
    mlx.load(str(roomy))
    mlx.load(GUIDE)
    use = cm.memory_use()
    cm.set_memory_limit(use.weights + 2_000_000)  # kept caches of others make room
    try:
        expect(
            mlx,
            ErrorCode.OUT_OF_MEMORY,
            True,
            lambda: mlx.chat(str(roomy), None, prompt, params=brief),
        )
    finally:
        cm.set_memory_limit(None)
    assert mlx.chat(str(roomy), None, prompt, params=brief).usage.output_tokens == 2


def test_overloaded(tmp_path: Path) -> None:
    """Two models, and memory for one: while the first answers, the second has no room; then it
    has, and the first makes room for it."""
    other = tmp_path / "other"
    shutil.copytree(guide_folder(), other)
    with MlxProvider(memory_bytes=300_000_000, wait_seconds=0.02) as provider:
        stream = provider.stream(GUIDE, None, "Which model fits in 8 GB?")
        next(stream)
        said = expect(provider, ErrorCode.OVERLOADED, True, ask(provider, other))
        assert said.startswith(f"[models] {str(other)!r} needs 0.2 GB of the 0.3 GB for models, ")
        assert said.endswith(
            f"those in use hold 0.2 GB ({GUIDE!r}); ask again when their answers are complete."
        )
        stream.response()
        assert provider.chat(str(other), None, "hello", params=SamplingParams(max_tokens=2)).text
        assert [model.name for model in provider.loaded()] == [str(other)]


def test_unknown(mlx: MlxProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of our own comes out as it is, and last_error calls it unknown."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr("convergio_mlx.engine.engine.prepare_chat", broken)
        with pytest.raises(ZeroDivisionError):
            ask(mlx, GUIDE)()
    assert mlx.last_error == ProviderErrorInfo(ErrorCode.UNKNOWN, "a fault", "ZeroDivisionError")
    (guide,) = [model for model in mlx.loaded() if model.name == GUIDE]
    assert guide.uses == 0
