"""The registry of providers: by type, by tier, by price; what packages offer by entry point."""

import sys
from pathlib import Path

import pytest

from convergio_mlx import CostTier, MlxProvider, ModelConfig, Provider, ProviderRegistry
from convergio_mlx.errors import InvalidRequestError, ModelNotFoundError, NetworkError
from convergio_mlx.providers.interface import ProviderType


class Cloud(MlxProvider):
    """Stands for a cloud provider: it has prices."""

    type = ProviderType.OPENAI

    def list_models(self) -> list[ModelConfig]:
        return [
            self.model("big", 15.0, 75.0),
            self.model("middle", 2.5, 10.0),
            self.model("small", 0.15, 0.6, cached_cost=0.015),
            self.model("old", 0.1, 0.4, deprecated=True),
        ]

    def model(self, name: str, given: float, made: float, **more: object) -> ModelConfig:
        return ModelConfig(
            id=name,
            display_name=name,
            provider=self.type,
            context_window=200_000,
            max_output=8192,
            input_cost=given,
            output_cost=made,
            **more,  # type: ignore[arg-type]
        )


class Broken(Cloud):
    type = ProviderType.GEMINI

    def list_models(self) -> list[ModelConfig]:
        raise NetworkError("[gemini] nobody answers; ask again.")


@pytest.fixture
def registry() -> ProviderRegistry:
    return ProviderRegistry({ProviderType.MLX: MlxProvider, ProviderType.OPENAI: Cloud})


def test_a_provider_is_made_once_and_ready(registry: ProviderRegistry) -> None:
    provider = registry.get("mlx")
    assert provider is registry.get(ProviderType.MLX)
    assert isinstance(provider, Provider)
    assert provider.initialized
    assert registry.is_available("mlx")
    provider.shutdown()
    assert registry.get("mlx") is provider
    assert provider.initialized
    registry.shutdown()
    registry.shutdown()
    assert not provider.initialized
    again = registry.get("mlx")
    assert again is not provider
    registry.shutdown()


def test_what_is_not_there_is_none_and_says_why(registry: ProviderRegistry) -> None:
    registry.register("ollama", lambda: None)

    def fails() -> Provider:
        raise RuntimeError("no luck")

    registry.register("anthropic", fails)
    for kind in ("gemini", "ollama", "anthropic"):
        assert registry.get(kind) is None
        assert registry.is_available(kind) is False
        assert registry.models(kind) == []
        assert registry.cheapest(kind) is None
    assert registry.problems == {
        "gemini": "[providers] no installed package offers gemini; install one.",
        "ollama": "[providers] ollama cannot serve here: its key is not set, or what it runs on is "
        "missing.",
        "anthropic": "no luck",
    }
    with pytest.raises(InvalidRequestError) as caught:
        registry.get("mistral")
    assert str(caught.value) == (
        "[providers] 'mistral' is no type of provider; give one of anthropic, openai, gemini, "
        "openrouter, ollama, mlx."
    )


def test_one_registered_anew_replaces_and_ends_the_old(registry: ProviderRegistry) -> None:
    old = registry.get("openai")
    registry.register("openai", Cloud)
    assert old is not None
    assert not old.initialized
    assert registry.get("openai") is not old


def test_models_by_provider_and_tier(registry: ProviderRegistry) -> None:
    def ids(**which: str) -> list[str]:
        return [model.id for model in registry.models(**which)]  # type: ignore[arg-type]

    assert ids(kind="openai") == ["big", "middle", "small", "old"]
    assert ids(kind="openai", tier="premium") == ["big"]
    assert ids(kind="openai", tier="mid") == ["middle"]
    assert ids(tier="mid") == ["middle"]
    assert set(ids(tier="cheap")) == {*ids(kind="mlx"), "small", "old"}
    assert "convergio-guide" in ids(kind="mlx")
    with pytest.raises(InvalidRequestError) as caught:
        registry.models(tier="free")
    assert str(caught.value) == (
        "[providers] 'free' is no cost tier; give one of cheap, mid, premium."
    )


def test_one_that_cannot_list_its_models_hides_no_other(registry: ProviderRegistry) -> None:
    registry.register("gemini", Broken)
    assert {model.provider for model in registry.models()} == {"mlx", "openai"}
    assert registry.problems == {"gemini": "[gemini] nobody answers; ask again."}


def test_the_cheapest_of_a_provider(registry: ProviderRegistry) -> None:
    cheapest = registry.cheapest("openai")
    assert cheapest is not None
    assert cheapest.id == "small"  # the old one is deprecated
    local = registry.cheapest("mlx")
    assert local is not None
    assert (local.id, local.input_cost, local.tier) == ("convergio-guide", 0.0, CostTier.CHEAP)


def test_costs(registry: ProviderRegistry) -> None:
    assert registry.estimate_cost("big", 1_000_000, 100_000) == pytest.approx(15 + 7.5)
    assert registry.estimate_cost("openai/middle", 2000, 1000) == pytest.approx(0.005 + 0.01)
    assert registry.estimate_cost("mlx/convergio-guide", 10**6, 10**6) == 0.0
    small = registry.model("small")
    assert small.cost(1_000_000, 0, cached_tokens=400_000) == pytest.approx(0.09 + 0.006)
    with pytest.raises(ModelNotFoundError) as caught:
        registry.estimate_cost("openai/huge", 1, 1)
    assert str(caught.value) == (
        "[providers] no provider has a model 'openai/huge'; `models()` lists those there are."
    )


@pytest.mark.parametrize(
    ("cost", "tier"),
    [(0, "cheap"), (1.99, "cheap"), (2, "mid"), (10, "mid"), (10.01, "premium")],
)
def test_tiers(cost: float, tier: str) -> None:
    assert CostTier.of(cost) == tier


def test_installed_packages_offer_providers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an installed package would: a module, and metadata with entry points."""
    (tmp_path / "some_provider.py").write_text(
        "from convergio_mlx import MlxProvider\n"
        "def make():\n"
        "    provider = MlxProvider()\n"
        "    provider.name = 'Some'\n"
        "    return provider\n"
    )
    info = tmp_path / "some_provider-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-provider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[convergio_mlx.providers]\n"
        "anthropic = some_provider:make\n"
        "gemini = some_provider:missing\n"
        "mistral = some_provider:make\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = ProviderRegistry()
    assert {"mlx", "anthropic", "gemini"} <= set(registry.types)
    some = registry.get("anthropic")
    assert some is not None
    assert some.name == "Some"
    assert registry.get("gemini") is None
    assert "missing" in registry.problems["gemini"]
    assert registry.problems["mistral"] == (
        "[providers] the entry point 'mistral' (some_provider:make) is ignored: it must be named "
        "one of anthropic, openai, gemini, openrouter, ollama, mlx."
    )
    registry.shutdown()
    sys.modules.pop("some_provider", None)


def test_our_own_adapter_is_offered_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyproject.toml names a function that is there, and that gives nothing without a key."""
    import tomllib
    from importlib import import_module

    path = Path(__file__).parents[2] / "pyproject.toml"
    points = tomllib.loads(path.read_text())["project"]["entry-points"]["convergio_mlx.providers"]
    for value in points.values():
        module, _, name = value.partition(":")
        factory = getattr(import_module(module), name)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert factory() is None
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        made = factory()
        assert isinstance(made, Provider)
        assert made.base_url == "https://api.openai.com/v1"
