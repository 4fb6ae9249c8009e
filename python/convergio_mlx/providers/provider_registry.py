"""All providers of this process: one of each type, made when first asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from convergio_mlx.errors import ConvergioError, InvalidRequestError, ModelNotFoundError
from convergio_mlx.providers.interface import CostTier, ModelConfig, Provider, ProviderType

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "convergio_mlx.providers"
"""The group of entry points under which a package offers a provider: the name is a `ProviderType`,
the value a function without arguments that returns a `Provider`, or None where it cannot serve."""

Factory = Callable[[], Provider | None]


class ProviderRegistry:
    """Providers by type. Safe to call from any thread."""

    def __init__(self, factories: Mapping[ProviderType, Factory] | None = None) -> None:
        """Makes no provider yet.

        Args:
            factories: instead of MLX and what installed packages offer by entry point.
        """
        self._lock = threading.RLock()
        self._providers: dict[ProviderType, Provider | None] = {}
        self._problems: dict[str, str] = {}
        self._factories = dict(self._installed() if factories is None else factories)

    def register(self, kind: ProviderType | str, factory: Factory) -> None:
        """Adds a provider, or replaces one; the one replaced is shut down if it was made."""
        with self._lock:
            kind = _type(kind)
            self._factories[kind] = factory
            self._problems.pop(kind, None)
            made = self._providers.pop(kind, None)
        if made is not None:
            made.shutdown()

    def get(self, kind: ProviderType | str) -> Provider | None:
        """A provider, initialized; None where there is none or it cannot serve, and `problems`
        says why."""
        kind = _type(kind)
        with self._lock:
            if kind not in self._providers:
                self._providers[kind] = self._make(kind)
            provider = self._providers[kind]
        if provider is not None and not provider.initialized:  # shut down since
            with contextlib.suppress(ConvergioError):
                provider.init()
        return provider

    def is_available(self, kind: ProviderType | str) -> bool:
        """Whether the provider exists and would serve."""
        provider = self.get(kind)
        return provider is not None and provider.initialized

    @property
    def types(self) -> tuple[ProviderType, ...]:
        """The types that something was registered for."""
        with self._lock:
            return tuple(self._factories)

    @property
    def problems(self) -> Mapping[str, str]:
        """By the type's name: why a provider is not there, a sentence each."""
        with self._lock:
            return dict(self._problems)

    def models(
        self, kind: ProviderType | str | None = None, tier: CostTier | str | None = None
    ) -> list[ModelConfig]:
        """The models of one provider or of all, of one cost tier or of all. A provider that fails
        to list its models has none, and `problems` says why."""
        wanted = None if tier is None else _tier(tier)
        found: list[ModelConfig] = []
        for one in self.types if kind is None else (_type(kind),):
            provider = self.get(one)
            if provider is None:
                continue
            try:
                found += provider.list_models()
            except ConvergioError as error:
                self._note(one, str(error))
        return [model for model in found if wanted is None or model.tier == wanted]

    def model(self, model: str) -> ModelConfig:
        """A model by its id; `provider/id` says whose it is.

        Raises:
            ModelNotFoundError: no provider has it.
        """
        head, _, rest = model.partition("/")
        kind = ProviderType(head) if rest and head in set(ProviderType) else None
        name = model if kind is None else rest
        for config in self.models(kind):
            if config.id == name:
                return config
        raise ModelNotFoundError(
            f"[providers] no provider has a model {model!r}; `models()` lists those there are."
        )

    def cheapest(self, kind: ProviderType | str) -> ModelConfig | None:
        """The model that costs least, of those that can be used as things are; one that is
        deprecated only where there is no other, among equals the one listed first. None where there
        is none."""
        models = [one for one in self.models(kind) if one.installed]
        return min(
            models, key=lambda one: (one.deprecated, one.input_cost + one.output_cost), default=None
        )

    def estimate_cost(self, model: str, input_tokens: int, output_tokens: int) -> float:
        """Dollars for a request to a model of `model()`."""
        return self.model(model).cost(input_tokens, output_tokens)

    def shutdown(self) -> None:
        """Shuts down every provider that was made. Idempotent; `get` starts them again."""
        with self._lock:
            made = [provider for provider in self._providers.values() if provider is not None]
            self._providers.clear()
        for provider in made:
            provider.shutdown()

    def _make(self, kind: ProviderType) -> Provider | None:
        factory = self._factories.get(kind)
        if factory is None:
            self._note(kind, f"[providers] no installed package offers {kind}; install one.")
            return None
        try:
            provider = factory()
            if provider is None:
                self._note(
                    kind,
                    f"[providers] {kind} cannot serve here: its key is not set, or what it runs on "
                    "is missing.",
                )
                return None
            provider.init()
        except Exception as error:  # another package's code: its failure is not the host's
            self._note(kind, str(error))
            return None
        self._problems.pop(kind, None)
        return provider

    def _note(self, kind: str, why: str) -> None:
        with self._lock:
            self._problems[kind] = why

    def _installed(self) -> dict[ProviderType, Factory]:
        from importlib.metadata import entry_points

        found: dict[ProviderType, Factory] = {ProviderType.MLX: _mlx}
        for point in entry_points(group=ENTRY_POINTS):
            if point.name in set(ProviderType):
                found[ProviderType(point.name)] = partial(_offered, point)
            else:
                known = ", ".join(ProviderType)
                self._note(
                    point.name,
                    f"[providers] the entry point {point.name!r} ({point.value}) is ignored: it "
                    f"must be named one of {known}.",
                )
        return found


def _offered(point: EntryPoint) -> Provider | None:
    made: Provider | None = point.load()()
    return made


def _mlx() -> Provider | None:
    made: Provider | None = import_module("convergio_mlx.providers.mlx").mlx_provider_create()
    return made


def _type(kind: ProviderType | str) -> ProviderType:
    try:
        return ProviderType(kind)
    except ValueError as error:
        raise InvalidRequestError(
            f"[providers] {kind!r} is no type of provider; give one of {', '.join(ProviderType)}."
        ) from error


def _tier(tier: CostTier | str) -> CostTier:
    try:
        return CostTier(tier)
    except ValueError as error:
        raise InvalidRequestError(
            f"[providers] {tier!r} is no cost tier; give one of {', '.join(CostTier)}."
        ) from error
