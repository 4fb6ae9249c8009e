"""The registry of models as the corpus needs it: numbers as words, other names of a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

REGISTRY = Path(__file__).resolve().parents[2] / "models.json"

ALIASES: dict[str, tuple[str, ...]] = {
    "llama-3.2-1b": (
        "llama 1b",
        "llama 3.2 1b",
        "Llama 1B",
        "the 1b llama",
        "the small llama",
        "the 1B model",
        "the smallest llama",
        "llama3.2-1b",
        "llama 3.2 (1B)",
    ),
    "llama-3.2-3b": (
        "llama 3b",
        "llama 3.2 3b",
        "Llama 3B",
        "the 3b llama",
        "the 3B model",
        "llama3.2-3b",
        "llama 3.2 (3B)",
        "the middle llama",
    ),
    "deepseek-r1-1.5b": (
        "deepseek 1.5b",
        "DeepSeek R1 1.5B",
        "deepseek r1 1.5b",
        "the 1.5b deepseek",
        "the small deepseek",
        "the smallest deepseek",
        "R1 1.5B",
        "DeepSeek 1.5B",
        "the 1.5B model",
    ),
    "deepseek-r1-7b": (
        "deepseek 7b",
        "DeepSeek R1 7B",
        "deepseek r1 7b",
        "the 7b deepseek",
        "the 7B DeepSeek",
        "the middle deepseek",
        "R1 7B",
        "DeepSeek 7B",
    ),
    "deepseek-r1-14b": (
        "deepseek 14b",
        "DeepSeek R1 14B",
        "deepseek r1 14b",
        "the 14b deepseek",
        "the big deepseek",
        "the largest deepseek",
        "R1 14B",
        "DeepSeek 14B",
        "the 14B model",
        "the 14b",
        "the 14B one",
    ),
    "qwen2.5-coder-7b": (
        "qwen coder",
        "Qwen 2.5 Coder",
        "qwen2.5 coder",
        "qwen 2.5 coder 7b",
        "the qwen model",
        "Qwen",
        "the Qwen coder",
        "qwen coder 7b",
        "the coder model",
    ),
    "phi-3-mini": (
        "phi 3 mini",
        "phi-3",
        "Phi 3",
        "phi3",
        "phi 3",
        "phi",
        "the phi model",
        "Microsoft's phi-3",
        "phi3 mini",
        "Phi mini",
    ),
    "mistral-7b-q4": (
        "mistral",
        "mistral 7b",
        "Mistral 7B",
        "the mistral model",
        "mistral-7b",
        "Mistral",
        "mistral 7b q4",
        "the 7b mistral",
    ),
    "llama-3.1-8b-q4": (
        "llama 3.1",
        "llama 8b",
        "llama 3.1 8b",
        "Llama 3.1 8B",
        "the 8b llama",
        "the big llama",
        "the 8B model",
        "llama-3.1-8b",
        "the largest llama",
        "llama3.1 8b",
    ),
}
TRAINED_ON = (
    *ALIASES,
    "qwen3-0.6b",
    "qwen3-1.7b",
    "qwen3-4b",
    "qwen3-8b",
    "qwen3-14b",
    "gemma-3-1b",
    "gemma-3-4b",
    "smollm3-3b",
    "phi-4-mini",
    "mistral-small-24b",
)
"""The registry's models at that time; what came later it does not know."""


@dataclass(frozen=True)
class Model:
    """One registry entry."""

    id: str
    display_name: str
    repository: str
    parameters: int
    download_bytes: int
    memory_gb: int
    context_window: int
    tools: bool
    reasoning: bool
    use_case: str
    licence: str
    release_date: str

    @property
    def size(self) -> str:
        """The download's size as people say it: "800 MB", "1.8 GB"."""
        if self.download_bytes < 1_000_000_000:
            return f"{self.download_bytes // 1_000_000} MB"
        return f"{self.download_bytes / 1e9:.1f}".removesuffix(".0") + " GB"

    @property
    def a_size(self) -> str:
        """The size with its article: "an 800 MB"."""
        return ("an " if self.size.startswith("8") else "a ") + self.size

    @property
    def billions(self) -> str:
        """Parameters in billions with one digit."""
        return f"{self.parameters / 1e9:.1f} billion"

    @property
    def names(self) -> tuple[str, ...]:
        """What people call this model, the id first."""
        return (self.id, self.display_name, self.display_name.lower(), *ALIASES.get(self.id, ()))

    @property
    def use(self) -> str:
        """The use case with a small first letter."""
        return self.use_case[0].lower() + self.use_case[1:]


def load_models(path: Path = REGISTRY) -> tuple[Model, ...]:
    """The models of models.json that were there when the guide was trained."""
    fields = Model.__dataclass_fields__
    entries = json.loads(path.read_text(encoding="utf-8"))["models"]
    return tuple(Model(**{k: e[k] for k in fields}) for e in entries if e["id"] in TRAINED_ON)


REGISTERED = load_models()
MODELS = tuple(m for m in REGISTERED if m.id in ALIASES)
"""Those that the guide knows well; of the others it knows the names."""
OTHERS = tuple(m for m in REGISTERED if m.id not in ALIASES)
BY_ID = {m.id: m for m in MODELS}
SMALLEST = min(REGISTERED, key=lambda m: m.download_bytes)
LARGEST = max(REGISTERED, key=lambda m: m.download_bytes)


def fitting(memory_gb: float) -> list[Model]:
    """Models that run in `memory_gb`."""
    return [m for m in MODELS if m.memory_gb <= memory_gb]


def advice(memory_gb: float, purpose: str) -> Model | None:
    """The best model of a purpose ("general", "code", "reasoning", "languages", "fast")."""
    order = {
        "general": ("llama-3.1-8b-q4", "phi-3-mini", "llama-3.2-1b"),
        "code": ("qwen2.5-coder-7b", "deepseek-r1-1.5b"),
        "reasoning": ("deepseek-r1-14b", "deepseek-r1-7b", "deepseek-r1-1.5b"),
        "languages": ("mistral-7b-q4", "llama-3.2-1b"),
        "fast": ("llama-3.2-1b",),
    }[purpose]
    return next((BY_ID[i] for i in order if BY_ID[i].memory_gb <= memory_gb), None)
