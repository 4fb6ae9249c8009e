# ruff: noqa: E501 (templates are data, one a line)
"""Questions about the models: one, a choice among them, or all."""

from __future__ import annotations

import random

from .choosing import biggest, compare, fits, memory_advice, purpose_advice
from .facts import BY_ID, MODELS
from .grammar import pick
from .noise import noise
from .one_model import one_model, other_model, yes_no
from .words import QA

LISTING = (
    "(what|which) models (are there|do you have|exist|are available|can i use|do you offer|do you support|can i download|are supported|can i choose from|does it support|could i install)",
    "(list|show|name|give me|enumerate|print) (all|) (the|your|available|) models (there are|you know|you have|)",
    "(model list|list of models|available models|all models|models|the catalogue|the catalog|model overview|supported models)",
    "(tell me|i want to know) (about|) (the|all|) models (there are|you have|)",
    "(what|which) (can|could) i (download|install|get)",
    "show me (all|the|every|) (choices|options|possibilities|downloads)",
    "what (choices|options|selection) (do i|are there|is there) (have|) (for models|of models|)",
    "(all|every) (model|thing) (that|) (i can install|can be installed|you can run|can be downloaded)",
    "which ones (are there|can i choose|do you offer)",
    "(list|show|name|give|tell|display|print|enumerate|spell out) (me|us|) (all|every one of|each of|everything in|the whole|the full|the complete|the entire) (the|your|) (models|available models|catalogue|list|collection|range|offer|line-up|selection|choice|supported models|downloadable models|registry)",
    "(what|which) (llms|language models|ais|models) (are|can be|could be) (downloaded|installed|had|on offer|available|supported|obtained|fetched|run) (with this|here|with it|)",
    "(everything|all|whatever|anything) (that|) (can be|i can|one can|you can|could be) (downloaded|installed|download|fetch|run|had|choose from|obtained|use)",
    "(show|tell|give|name|list) (me|us|) (everything|all|whatever|what|anything) (that|) (can be|i can|one can|we can|is) (downloaded|on offer|available|fetch|obtained|choose from|pick from)",
    "what (is|do you have) (in|on) (the|your) (menu|catalogue|shop|list|offer|store|registry)",
    "let me see (the|your|all) (models|choices|options|offer|catalogue)",
    "(overview|summary|table|list) of (the|all|your) (models|llms|options)",
    "which (language models|llms|ais) (do you|does it|does this) (support|offer|know|come with|include)",
    "what else (is there|can i install|do you have|could i get) (besides you|apart from you|)",
)
COUNT = (
    "how many models (are there|do you have|can i choose from|exist|are available|are in the list|do you know|can i download|does it offer)",
    "(number|count) of (available|) models",
    "how many (of them|choices|options|models) (are there|in total|altogether|do i have)",
    "how (large|big|long) is (the model list|the catalogue|the list of models)",
    "(how many|what number of) (models|language models|llms|options|different ones|alternatives|kinds of models) (are|is|do|does|can) (there|you|it|this tool|the tool|i) (have|supported|offer|know|choose from|pick from|install|listed|in all|to choose|run|)",
    "(count|number) (the|of all|of|) (models|supported models|your models)",
    "are there (many|several|more than five|only a few|a lot of) models (to choose from|to pick|)",
    "how (rich|wide|big) is (the|your) (choice|selection|offer) (of models|)",
    "(total|overall) number of models",
)
FAMILIES: dict[str, tuple[str, ...]] = {
    "llama": ("llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b-q4"),
    "deepseek": ("deepseek-r1-1.5b", "deepseek-r1-7b", "deepseek-r1-14b"),
}
FAMILY = (
    "(what|which) {f} (models|versions|sizes|variants|ones) (are there|do you have|exist|are available|can i get|do you offer)",
    "(list|show|name|give me) (the|all|your) {f} models",
    "how many {f} (models|versions) (are there|do you have)",
    "{f} (models|versions|sizes|variants|family)",
    "do you have (a|any) {f} (model|models|)",
    "(what|which) {f}s (are there|can i get|exist|do you offer|are available)",
    "{f}",
    "which sizes (of|does) {f} (are there|come in|exist)",
)


def listing(rng: random.Random) -> QA:
    """The nine models, how many they are, one family."""
    roll = rng.random()
    ids = [m.id for m in MODELS]
    if roll < 0.5:
        rows = ", ".join(f"{m.id} ({m.memory_gb} GB)" for m in MODELS)
        return QA(
            noise(rng, pick(rng, LISTING)),
            f"With the memory they need: {rows}. `convergio-mlx models list` shows more.",
        )
    if roll < 0.7:
        return QA(
            noise(rng, pick(rng, COUNT)),
            f"I know nine models to download: {', '.join(ids)}. `convergio-mlx models list` shows all there are.",
        )
    family = rng.choice(list(FAMILIES))
    name = rng.choice(
        {
            "llama": ("llama", "Llama"),
            "deepseek": ("deepseek", "DeepSeek", "DeepSeek R1", "deepseek r1"),
        }[family]
    )
    rows = ", ".join(f"{i} ({BY_ID[i].memory_gb} GB)" for i in FAMILIES[family])
    label = {"llama": "Llama", "deepseek": "DeepSeek"}[family]
    return QA(
        noise(rng, pick(rng, FAMILY, {"f": name})),
        f"{label} models, with the memory they need: {rows}.",
    )


MAKERS = (
    (one_model, 12.0),
    (yes_no, 0.8),
    (fits, 3.2),
    (memory_advice, 3.0),
    (purpose_advice, 4.5),
    (biggest, 0.6),
    (compare, 1.0),
    (listing, 2.2),
    (other_model, 0.8),
)


def about_models(rng: random.Random) -> QA:
    """A question about the models."""
    maker = rng.choices([m for m, _ in MAKERS], [w for _, w in MAKERS])[0]
    return maker(rng)
