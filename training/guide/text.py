"""The guide's tokenizer and chat template."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (END_OF_TEXT, TURN_START, TURN_END)
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
VOCABULARY = 2048
CONTEXT = 2048

CHAT_TEMPLATE = """\
{%- macro text(content) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- elif content -%}
        {%- for part in content -%}
            {%- if part.text is defined -%}
                {{- part.text -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- set has_system = messages and messages[0].role == 'system' -%}
{%- if has_system or tools -%}
    {{- '<|im_start|>system\\n' -}}
    {%- if has_system -%}
        {{- text(messages[0].content) -}}
        {%- if tools -%}
            {{- '\\n' -}}
        {%- endif -%}
    {%- endif -%}
    {%- if tools -%}
        {{- 'Tools, called by <tool_call>{"name": ..., "arguments": {...}}</tool_call>:' -}}
        {%- for tool in tools -%}
            {%- if tool.function is defined -%}
                {{- '\\n' ~ (tool.function | tojson) -}}
            {%- else -%}
                {{- '\\n' ~ (tool | tojson) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
    {%- if not (loop.first and has_system) -%}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ text(message.content) -}}
        {%- for call in message.tool_calls or [] -%}
            {%- set function = call.function if call.function is defined else call -%}
            {%- if function.arguments is string -%}
                {%- set arguments = function.arguments -%}
            {%- else -%}
                {%- set arguments = function.arguments | tojson -%}
            {%- endif -%}
            {{- '<tool_call>{"name": ' ~ (function.name | tojson) ~ ', "arguments": ' -}}
            {{- arguments ~ '}</tool_call>' -}}
        {%- endfor -%}
        {{- '<|im_end|>\\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def renderer() -> Any:
    """A function (messages, tools, add_generation_prompt) -> text, as transformers renders."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string(CHAT_TEMPLATE)

    def render(messages: Any, tools: Any = None, add_generation_prompt: bool = False) -> str:
        return str(
            template.render(
                messages=messages, tools=tools, add_generation_prompt=add_generation_prompt
            )
        )

    return render


def train_tokenizer(texts: Iterable[str]) -> Any:
    """A byte-level BPE tokenizer of VOCABULARY entries; digits stand alone, which eases copying."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    calls = (CALL_START, CALL_END)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(calls),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(c, special=False, normalized=False) for c in calls])
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(
            f"[guide] the corpus gave {tokenizer.get_vocab_size()} tokens, not {VOCABULARY}."
        )
    return tokenizer


def write_text_files(folder: Path, tokenizer: Any) -> None:
    """tokenizer.json and tokenizer_config.json with the template."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    added = {
        str(tokenizer.token_to_id(token)): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": token in SPECIAL,
        }
        for token in (*SPECIAL, CALL_START, CALL_END)
    }
    config = {
        "added_tokens_decoder": added,
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": TURN_END,
        "model_max_length": CONTEXT,
        "pad_token": END_OF_TEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
