"""Random-weight models that speak a tool-call format, and constrained answers of theirs."""

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
from convergio_mlx import ChatResponse, Engine, SamplingParams
from convergio_mlx.chats.channels import KNOWN, Channels
from convergio_mlx.chats.tag_arguments import Tags
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_formats import FORMATS

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 48}
WINDOW = 4096
TEMPLATE = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ opening }}{% endif %}"
)
Speaker = Callable[..., Engine]
QUOTES = (
    '<|"|>',
    "<escape>",
    "</arg_value>",
    "<tool_call|>",
    "<end_function_call>",
    "</tool_call>",
    "<|end|>",
    "<|eom|>",
)
"""Tokens that end a text, or arguments."""
BY_NAME = {known.name: known for known in FORMATS}


def template(tool_format: ToolFormat) -> str:
    """A chat template with a sign of the format; where several have it, with calls written so."""
    sign = "{# " + tool_format.signs[0] + " #}"
    if not (tool_format.named_before and tool_format.is_json):
        return sign + TEMPLATE
    before = tool_format.before.replace("{name}", "{{ c.function.name }}").replace("{index}", "0")
    call = f"{tool_format.marks[0]}{before}{{{{ c.function.arguments | tojson }}}}"
    calls = f"{{% for c in m.tool_calls or [] %}}{call}{tool_format.after}{{% endfor %}}"
    start, end = (
        f"{{% if m.tool_calls %}}{text}{{% endif %}}" if text else "" for text in tool_format.around
    )
    calls = f"{start}{calls}{end}"
    return sign + TEMPLATE.replace("{{ m.content }}", "{{ m.content or '' }}" + calls)


def channels_of(tool_format: ToolFormat) -> Channels | None:
    """How a model of the format writes its answer as messages, if it does."""
    return next((known for known in KNOWN if known.sign in tool_format.signs), None)


def ends(tool_format: ToolFormat) -> list[str]:
    """What ends a text without quotes: a random model would hardly ever spell it out."""
    syntax = tool_format.syntax
    channels = channels_of(tool_format)
    starts = [] if channels is None or channels.begin else [channels.start]
    return [*starts, *([syntax.after_value] if isinstance(syntax, Tags) else [])]


def make_folder(folder: Path, tool_format: ToolFormat, reasons: bool = False) -> Path:
    """A model folder whose vocabulary has the format's marks, as models have them: some are special
    tokens, some are not."""
    backend = make_tokenizer()
    thinking = ("<think>", "</think>") if reasons else ()
    channels = channels_of(tool_format)
    thinking = (*thinking, *(() if channels is None else channels.spelled))
    marks = [*dict.fromkeys((*tool_format.spelled, *thinking))]
    marks = [mark for mark in marks if not mark.isalpha() and mark not in (";", "```")]
    backend.add_special_tokens([AddedToken(mark, special=True) for mark in marks[::2]])
    backend.add_tokens([AddedToken(mark, special=False) for mark in marks[1::2]])
    backend.add_tokens([AddedToken(text, special=False) for text in ends(tool_format)])
    vocabulary = backend.get_vocab_size()
    checkpoints.write(folder, config(**SIZE, vocab_size=vocabulary, max_position_embeddings=WINDOW))
    backend.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": template(tool_format)}
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
        logit_bias=bias(engine, [*'"]})', "</s>", *towards]),
    )


def answers(
    engine: Engine, requests: Iterable[dict[str, Any]], at_once: int = 4
) -> Iterator[ChatResponse]:
    """Answers in order, a few being made at once."""
    under_way = []
    for request in requests:
        under_way.append(engine.stream([{"role": "user", "content": "?"}], **request))
        if len(under_way) == at_once:
            yield under_way.pop(0).response()
    for stream in under_way:
        yield stream.response()


def check(schema: Any, text: str) -> None:
    """Raises where a text is no JSON, or its value not valid."""
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    kind.check_schema(schema)
    kind(schema, format_checker=kind.FORMAT_CHECKER).validate(json.loads(text))
