"""The small files beside tokenizer.json: which tokens are special, which ones end, the templates.

Read as transformers reads them: where they say something else about a token than tokenizer.json
does, tokenizer_config.json's `added_tokens_decoder` wins; special_tokens_map.json and
added_tokens.json count only without it; template files win over the config's own template.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import TokenizerError
from convergio_mlx.text.model_folder import ModelFolder, read_text, text_config

if TYPE_CHECKING:
    import tokenizers

_NAMED = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
_FLAGS = {"single_word", "lstrip", "rstrip", "normalized", "special"}
_OLDER = "added_tokens.json"
_LLAMA_DEFAULTS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def load_config(folder: ModelFolder) -> dict[str, Any]:
    """tokenizer_config.json with the older files merged in where it does not supersede them."""
    config = dict(folder.json("tokenizer_config.json"))
    if "additional_special_tokens" in config and not config.get("extra_special_tokens"):
        config["extra_special_tokens"] = config.pop("additional_special_tokens")
    if "added_tokens_decoder" not in config:
        config |= folder.json("special_tokens_map.json")
        if "additional_special_tokens" in config and not config.get("extra_special_tokens"):
            config["extra_special_tokens"] = config.pop("additional_special_tokens")
        config[_OLDER] = dict(folder.json("added_tokens.json"))
    return config


def _content(value: Any) -> str | None:
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def special_tokens(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of every special token declared; the unnamed ones under the name ""."""
    extra = config.get("extra_special_tokens")
    fields = {**config, **(extra if isinstance(extra, dict) else {})}
    own = [name for name in fields if name.endswith("_token") and name not in _NAMED]
    if isinstance(extra, dict):
        own += [name for name in extra if not name.endswith("_token")]
    for name in (*_NAMED, *own):
        text = _content(fields.get(name))
        if text is not None:
            yield name, text
    for value in extra if isinstance(extra, list) else ():
        text = _content(value)
        if text is not None:
            yield "", text


def declare_tokens(backend: tokenizers.Tokenizer, config: dict[str, Any]) -> None:
    """Gives the backend the added and special tokens that the configuration declares.

    Raises:
        TokenizerError: the table of added tokens is none.
    """
    from tokenizers import AddedToken

    present = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    before = {text: repr(token) for text, token in present.items()}
    special = list(special_tokens(config))
    named = {text for name, text in special if name}
    declared = [token for _, token in sorted(_declared(config, named), key=lambda pair: pair[0])]
    if "added_tokens_decoder" not in config:
        declared = [*present.values(), *(t for t in declared if t.content not in present)]
    # What was special stays so: the backend's decoder would go on to skip it all the same.
    named |= {token.content for token in present.values() if token.special}
    for token in declared:
        token.special = token.special or token.content in named
    known = {*present, *(token.content for token in declared)}
    missing = dict.fromkeys(text for _, text in special if text not in known)
    declared += [AddedToken(text, special=True) for text in missing]
    backend.add_tokens([t for t in declared if repr(t) != before.get(t.content)])


def _declared(config: dict[str, Any], special: set[str]) -> list[tuple[int, tokenizers.AddedToken]]:
    """The configuration's added tokens with their ids, of the newer form or else the older."""
    from tokenizers import AddedToken

    name = "added_tokens_decoder" if "added_tokens_decoder" in config else _OLDER
    table = config[name]
    try:
        if name == _OLDER:
            return [
                (int(index), AddedToken(text, special=text in special))
                for text, index in table.items()
            ]
        return [
            (
                int(index),
                AddedToken(**{key: fields[key] for key in ("content", *_FLAGS & {*fields})}),
            )
            for index, fields in table.items()
        ]
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise TokenizerError(
            f"[tokenizer] {name} is not a table of tokens and their ids "
            f"({type(error).__name__}: {error}); download the model again."
        ) from error


def repair_llama(
    backend: tokenizers.Tokenizer, config: dict[str, Any], model_type: str | None
) -> None:
    """Splits words as `LlamaTokenizer` does, whatever an older tokenizer.json of that class says.

    Those files prefix a space to the text after every special token; the class, unless `legacy`,
    only to the start of the text. Byte-level vocabularies that merely carry the class's name are
    left alone.
    """
    kind = str(config.get("tokenizer_class")).removesuffix("Fast")
    if kind != "LlamaTokenizer" or model_type != "llama":
        return
    if backend.decoder is None or b'"ByteLevel"' in backend.decoder.__getstate__():
        return
    from tokenizers import decoders, pre_tokenizers

    for name, text in _LLAMA_DEFAULTS.items():
        config.setdefault(name, text)
    prefixed = config.get("add_prefix_space") is not False
    scheme = ("always" if config.get("legacy") else "first") if prefixed else "never"
    backend.normalizer = None
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    chain = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence(
        [*chain, decoders.Strip(content=" ", left=1)] if prefixed else chain
    )


def end_ids(folder: ModelFolder) -> frozenset[int]:
    """`eos_token_id` of generation_config.json or else of config.json, of its text_config where
    it is a multimodal model's: a number or a list.

    Raises:
        TokenizerError: it is something else.
    """
    config = folder.json("config.json")
    places = (
        ("generation_config.json", folder.json("generation_config.json")),
        ("config.json", config),
        ("config.json", text_config(config)),
    )
    for name, said in places:
        value = said.get("eos_token_id")
        if value is None:
            continue
        ids = value if isinstance(value, list) else [value]
        if any(isinstance(i, bool) or not isinstance(i, int) or i < 0 for i in ids):
            raise TokenizerError(
                f"[tokenizer] {folder.path / name}: 'eos_token_id' is {value!r}; "
                "it must be a token id or a list of them."
            )
        return frozenset(ids)
    return frozenset()


def chat_templates(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """The model's templates by name; the usual one is "default". Empty for a base model.

    Raises:
        TokenizerError: a template file cannot be read, or the config's field is of another form.
    """
    files = {"default": folder / "chat_template.jinja"}
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        files[path.stem] = path
    found = {name: text for name, path in files.items() if (text := read_text(path)) is not None}
    if found:
        return found
    value = config.get("chat_template")
    if value is None:
        value = ModelFolder(folder).json("chat_template.json").get("chat_template")
    if value is None:
        return {}
    if isinstance(value, str):
        return {"default": value}
    try:
        return {str(entry["name"]): str(entry["template"]) for entry in value}
    except (KeyError, TypeError) as error:
        raise TokenizerError(
            f"[tokenizer] {folder}: 'chat_template' is neither a text nor a list of named texts; "
            "download the model again."
        ) from error
