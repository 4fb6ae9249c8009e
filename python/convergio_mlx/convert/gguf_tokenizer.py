"""A GGUF file's vocabulary as the tokenizer files of a Hugging Face folder.

Byte-pair vocabularies (`tokenizer.ggml.model` "gpt2") have their merges in the file and the way to
split a text by name; SentencePiece vocabularies ("llama") have scores, from which merges are made.
"gemma4" is both: merges over characters, with ▁ for spaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from convergio_mlx.convert.gguf_vocabulary import (
    PREFIX,
    TURN_ENDS,
    Metadata,
    TokenType,
    Vocabulary,
    corrupt,
    read_vocabulary,
    shown,
)
from convergio_mlx.convert.pre_tokenizers import PRE_TOKENIZERS, PreTokenizer
from convergio_mlx.convert.tokenizer_json import tokenizer_json
from convergio_mlx.errors import UnsupportedModelError

_NEEDED = {
    "gpt2": ("merges", "token_type"),
    "gemma4": ("merges", "token_type"),
    "llama": ("scores", "token_type"),
}
"""By the kind of vocabulary, what it cannot be without."""
_MAX_TOKEN = 1024
"""Characters of a token; a SentencePiece vocabulary's are each cut in two at every place."""
_MAX_CHARACTERS = 1 << 23
"""Of all tokens together; the largest known vocabularies have some two million."""
_MESSAGE_END, _ANSWER_ENDS = "<|end|>", frozenset({"<|return|>", "<|flush|>"})
"""Where there is one of the latter (gpt-oss, Solar Open), the former ends a message only."""
_ORDINARY = (TokenType.NORMAL, TokenType.UNDEFINED, TokenType.BYTE)


def tokenizer_refusals(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What of the vocabulary cannot be converted, a clause each, with the actual value.

    Raises:
        ModelCorruptError: the values contradict themselves.
    """
    kind = Metadata(metadata).text(f"{PREFIX}model")
    if kind not in _NEEDED:
        known = ", ".join(_NEEDED)
        return (
            f"it has a vocabulary of the kind {shown(kind)} (tokenizer.ggml.model; known: {known})",
        )
    return _refusals(metadata, kind, read_vocabulary(metadata))


def tokenizer_files(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """tokenizer.json and tokenizer_config.json, by name.

    Args:
        metadata: the file's keys and values; lists and texts as Python has them.

    Raises:
        UnsupportedModelError: it cannot be converted; all reasons are named.
        ModelCorruptError: the values contradict themselves.
    """
    values = Metadata(metadata)
    kind = values.text(f"{PREFIX}model")
    if kind not in _NEEDED:
        raise _unsupported(tokenizer_refusals(metadata))
    vocabulary = read_vocabulary(metadata)
    if refusals := _refusals(metadata, kind, vocabulary):
        raise _unsupported(refusals)
    pre = PRE_TOKENIZERS[str(values.text(f"{PREFIX}pre")) if kind == "gpt2" else "gemma4"]
    architecture = values.text("general.architecture")
    bos, eos = _around(values, vocabulary, pre)
    tokenizer = tokenizer_json(
        vocabulary,
        pre,
        prefixed=kind == "llama" and _prefixed(values),
        around=(bos, eos),
        right_strip=kind == "llama" and architecture == "phi3",  # Phi-3; no key says so
    )
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": bos,
        "add_eos_token": eos,
        **_named_tokens(vocabulary),
    }
    if (templates := _chat_templates(metadata)) is not None:
        config["chat_template"] = templates
    return {"tokenizer.json": _json(tokenizer), "tokenizer_config.json": _json(config)}


def eos_token_ids(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """The ids that end a text, for `eos_token_id` of generation_config.json: the file's own
    end-of-text token, its end-of-turn tokens, and those known by their texts.

    Raises:
        ModelCorruptError: the values contradict themselves.
    """
    vocabulary = read_vocabulary(metadata)
    named = [vocabulary.ids[name] for name in ("eos", "eot", "eom") if name in vocabulary.ids]
    named += Metadata(metadata).ids("eos", len(vocabulary.tokens))
    ends = set(TURN_ENDS)
    if not _ANSWER_ENDS.isdisjoint(vocabulary.present):
        ends.remove(_MESSAGE_END)
    added = vocabulary.of_type(TokenType.CONTROL, TokenType.USER_DEFINED)
    known = [index for index in added if vocabulary.tokens[index] in ends]
    return tuple(dict.fromkeys([*named, *known]))


def _refusals(metadata: Mapping[str, Any], kind: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    values = Metadata(metadata)
    found = [
        f"it has a {kind} vocabulary without {PREFIX}{name}"
        for name in _NEEDED[kind]
        if metadata.get(PREFIX + name) is None
    ]
    name = values.text(f"{PREFIX}pre")
    if kind == "gpt2" and name not in PRE_TOKENIZERS:
        found.append(f"its pre-tokenizer is {shown(name)} (tokenizer.ggml.pre)")
    if values.flag("remove_extra_whitespaces"):
        found.append("its tokenizer removes spaces (tokenizer.ggml.remove_extra_whitespaces)")
    lengths = [len(token) for token in vocabulary.tokens]
    if max(lengths) > _MAX_TOKEN:
        found.append(f"it has a token of {max(lengths)} characters (at most {_MAX_TOKEN})")
    if sum(lengths) > _MAX_CHARACTERS:
        found.append(f"its tokens have {sum(lengths)} characters (at most {_MAX_CHARACTERS})")
    return tuple(found)


def _unsupported(refusals: tuple[str, ...]) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"[gguf] the vocabulary cannot be converted: {'; '.join(refusals)}; "
        "use a folder with the model's own tokenizer.json."
    )


def _around(values: Metadata, vocabulary: Vocabulary, pre: PreTokenizer) -> tuple[bool, bool]:
    """Whether BOS comes before a text, and EOS after it."""

    def added(name: str, usual: bool) -> bool:
        wanted = values.flag(f"add_{name}_token")
        if wanted and name not in vocabulary.ids:
            raise corrupt(f"{PREFIX}add_{name}_token is True without a token", "False")
        return name in vocabulary.ids and (usual if wanted is None else wanted)

    return added("bos", pre.adds_bos), added("eos", False)


def _prefixed(values: Metadata) -> bool:
    """Whether a space is put before a text; Gemma's never have it, and Ollama's do not say so."""
    usual = not (values.text("general.architecture") or "").startswith("gemma")
    wanted = values.flag("add_space_prefix")
    return usual if wanted is None else wanted


def _named_tokens(vocabulary: Vocabulary) -> dict[str, str]:
    """The texts of bos_token and the like. A padding or unknown token that is an ordinary one, as
    in some files, is left out: by this name it would become special, and be no text any more."""
    names = {"bos": "bos", "eos": "eos", "padding": "pad", "unknown": "unk"}
    return {
        f"{names[name]}_token": vocabulary.tokens[index]
        for name, index in vocabulary.ids.items()
        if name in names and (name in ("bos", "eos") or vocabulary.types[index] not in _ORDINARY)
    }


def _chat_templates(metadata: Mapping[str, Any]) -> str | list[dict[str, str]] | None:
    """tokenizer_config.json's `chat_template`: a text, or a list where some have names."""
    values, key = Metadata(metadata), "tokenizer.chat_template"
    default = values.text(key)
    found = {} if default is None else {"default": default}
    for name in sorted(name for name in metadata if name.startswith(f"{key}.")):
        if (text := values.text(name)) is not None:
            found[name.removeprefix(f"{key}.")] = text
    if [*found] in ([], ["default"]):
        return default
    return [{"name": name, "template": text} for name, text in found.items()]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
