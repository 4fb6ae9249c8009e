"""Random-weight models that speak a notation of tool calls, and constrained answers of theirs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
from tokenizers import AddedToken

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small_models import config, make_tokenizer

import checkpoints
from convergio_mlx import Answer, Engine, SamplingParams
from convergio_mlx.answers.tool_formats import FORMATS, ToolFormat

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 48}
WINDOW = 4096
TEMPLATE = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ opening }}{% endif %}"
)
Speaker = Callable[..., Engine]
BY_NAME = {known.name: known for known in FORMATS}


def make_folder(folder: Path, notation: ToolFormat, reasons: bool = False) -> Path:
    """A model folder whose vocabulary has the notation's marks, as models have them: some are
    special tokens, some are not."""
    backend = make_tokenizer()
    thinking = ("<think>", "</think>") if reasons else ()
    marks = [*dict.fromkeys((*notation.spelled, *thinking))]
    marks = [mark for mark in marks if not mark.isalpha() and mark not in (";", "```")]
    backend.add_special_tokens([AddedToken(mark, special=True) for mark in marks[::2]])
    backend.add_tokens([AddedToken(mark, special=False) for mark in marks[1::2]])
    vocabulary = backend.get_vocab_size()
    checkpoints.write(folder, config(**SIZE, vocab_size=vocabulary, max_position_embeddings=WINDOW))
    backend.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def bias(engine: Engine, towards: Iterable[str], by: float = 4.0) -> dict[int, float]:
    """A bias towards tokens that close what a random model would leave open for ever."""
    ids = (engine.tokenizer.token_to_id(token) for token in towards)
    return {token: by for token in ids if token is not None}


def params(engine: Engine, seed: int, *towards: str) -> SamplingParams:
    return SamplingParams(
        temperature=1.0,
        seed=seed,
        max_tokens=3000,
        logit_bias=bias(engine, [*'"]}', "</s>", *towards]),
    )


def answers(
    engine: Engine, requests: Iterable[dict[str, Any]], at_once: int = 4
) -> Iterator[Answer]:
    """Answers in order, a few being made at once."""
    under_way = []
    for request in requests:
        under_way.append(engine.stream([{"role": "user", "content": "?"}], **request))
        if len(under_way) == at_once:
            yield under_way.pop(0).answer()
    for stream in under_way:
        yield stream.answer()


def check(schema: Any, text: str) -> None:
    """Raises where a text is no JSON, or its value not valid."""
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    kind.check_schema(schema)
    kind(schema, format_checker=kind.FORMAT_CHECKER).validate(json.loads(text))
