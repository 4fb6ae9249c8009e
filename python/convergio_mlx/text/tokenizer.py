"""Text to token ids and back, as the model's own tokenizer.json says."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import detokenizer, token_bytes, tokenizer_config
from convergio_mlx.text.chat_template import ChatTemplate
from convergio_mlx.text.control_tokens import ControlTokens
from convergio_mlx.text.model_folder import ModelFolder, read_bytes

if TYPE_CHECKING:
    import tokenizers

_MAX_BYTES = 1 << 30
MAX_CHARACTERS = 16 << 20
"""Of a text to encode: several times the longest context window."""
_LONG = 1 << 12
"""Characters from which a text is encoded without the GIL."""
_MAX_ID = 1 << 24
"""No vocabulary has as many tokens; a table by id would fill the memory."""
_EMBEDDED = Path(__file__).absolute().parents[1] / "guide"
"""The embedded model, whose template is ours."""
_CLEAN_UP_BPE = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"
_CLEAN_UP = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


class Tokenizer:
    """A model's vocabulary, its special tokens and its chat templates. Safe to share by threads."""

    special_tokens: Mapping[str, str]
    """The named special tokens' texts: `bos_token`, `eos_token`, …"""
    stop_ids: frozenset[int]
    """The ids that end a text: `eos_token_id` of generation_config.json, or else of config.json,
    and the tokenizer's own `eos_token`."""
    chat_templates: Mapping[str, str]
    """Template sources by name; empty for a base model."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        special_tokens: Mapping[str, str] | None = None,
        stop_ids: Iterable[int] = (),
        chat_templates: Mapping[str, str] | None = None,
        *,
        clean_up: bool = False,
        trusted: bool = False,
    ) -> None:
        """Wraps a `tokenizers.Tokenizer`; use `from_folder` for a model's folder.

        Args:
            backend: holds all added tokens already; not changed afterwards.
            special_tokens: texts by name; `eos_token` becomes a stop id.
            stop_ids: further ids that end a text.
            chat_templates: template sources by name.
            clean_up: remove spaces before punctuation when decoding
                (`clean_up_tokenization_spaces`, of old word-piece vocabularies).
            trusted: render its templates in this process.
        """
        self._backend = backend
        self._clean_up = clean_up
        self._trusted = trusted
        self.special_tokens = dict(special_tokens or {})
        self.chat_templates = dict(chat_templates or {})
        self._templates: dict[str, ChatTemplate] = {}
        self._chat_stop_ids: frozenset[int] | None = None
        self._control_tokens: ControlTokens | None = None
        self._added: dict[int, Any] = backend.get_added_tokens_decoder()
        self._special_ids = frozenset(i for i, token in self._added.items() if token.special)
        self.stop_ids = frozenset(stop_ids).union(_known(self.eos_id))
        decoder = backend.decoder
        self._decoder = None if decoder is None else json.loads(decoder.__getstate__())
        self._known_ids: dict[int, int] = {}
        self._steps = None if clean_up else detokenizer.steps(self._decoder)

    @classmethod
    def from_folder(cls, folder: str | Path | ModelFolder) -> Tokenizer:
        """Reads tokenizer.json and the files beside it. Nothing is asked of a network.

        Raises:
            TokenizerError: tokenizer.json is missing or unsound, or a file beside it is unsound.
        """
        files = ModelFolder.of(folder)
        backend = _read_backend(files.path / "tokenizer.json")
        config = tokenizer_config.load_config(files)
        model_type = files.json("config.json").get("model_type")
        tokenizer_config.repair_llama(backend, config, model_type)
        tokenizer_config.declare_tokens(backend, config)
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = config.get("split_special_tokens") is True
        is_bpe = type(backend.model).__name__ == "BPE"
        clean_up = config.get("clean_up_tokenization_spaces") and (
            not is_bpe or config.get(_CLEAN_UP_BPE)
        )
        return cls(
            backend,
            {name: text for name, text in tokenizer_config.special_tokens(config) if name},
            tokenizer_config.end_ids(files),
            tokenizer_config.chat_templates(files.path, config),
            clean_up=bool(clean_up),
            trusted=files.path.absolute() == _EMBEDDED,
        )

    @property
    def vocab_size(self) -> int:
        """Number of tokens, added ones included."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    def vocabulary(self) -> dict[str, int]:
        """The id of each token, added ones included."""
        return dict(self._backend.get_vocab(with_added_tokens=True))

    def known_ids(self, vocab_size: int) -> int:
        """One more than the last id below `vocab_size` that is a token: a model may have logits for
        further ids, which stand for nothing."""
        if vocab_size not in self._known_ids:
            ids = range(vocab_size - 1, -1, -1)
            last = next((i for i in ids if self._backend.id_to_token(i) is not None), -1)
            self._known_ids[vocab_size] = last + 1
        return self._known_ids[vocab_size]

    @property
    def bos_id(self) -> int | None:
        """The id of `bos_token`, or None where the model has none."""
        return self._id_of("bos_token")

    @property
    def eos_id(self) -> int | None:
        """The id of `eos_token`, or None where the model has none."""
        return self._id_of("eos_token")

    def token_to_id(self, token: str) -> int | None:
        """The id of a token as the vocabulary spells it, or None."""
        return self._backend.token_to_id(token)

    def id_to_token(self, token_id: int) -> str | None:
        """The token as the vocabulary spells it (not its text), or None outside the vocabulary."""
        return self._backend.id_to_token(token_id) if 0 <= token_id < 1 << 32 else None

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of a text.

        Args:
            text: special tokens spelled out in it become their ids.
            add_special_tokens: put what tokenizer.json puts around a text (often a BOS; never a
                second one). Give False for a rendered chat template, which spells out its own.

        Raises:
            InvalidRequestError: it is no text, has half of a surrogate pair in it, or is longer
                than 16 Mi characters.
            TokenizerError: the tokenizer fails on it.
        """
        ids = self._ids(text, add_special_tokens)
        twice = add_special_tokens and len(ids) > 1 and ids[0] == ids[1] == self.bos_id
        if twice and len(ids) > len(self._ids(text, False)):  # else both are the text's own
            del ids[0]
        return ids

    def _ids(self, text: str, add_special_tokens: bool) -> list[int]:
        if isinstance(text, str) and len(text) > MAX_CHARACTERS:
            raise InvalidRequestError(
                f"[tokenizer] the text has {len(text)} characters; give at most {MAX_CHARACTERS}."
            )
        try:
            if isinstance(text, str) and len(text) > _LONG:  # this call does not hold the GIL
                given = self._backend.encode_batch_fast(
                    [text], add_special_tokens=add_special_tokens
                )
                return list(given[0].ids)
            return list(self._backend.encode(text, add_special_tokens=add_special_tokens).ids)
        except TypeError as error:
            raise InvalidRequestError(_why_no_text(text)) from error
        except BaseException as error:
            if not _is_panic(error):
                raise
            raise TokenizerError(
                f"[tokenizer] the model's tokenizer fails on this text ({error}); download the "
                "model again, or give another text."
            ) from None

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids; those outside the vocabulary give none.

        Raises:
            InvalidRequestError: they are no ids.
        """
        try:
            known = [token_id for token_id in map(index, ids) if 0 <= token_id < 1 << 32]
        except TypeError as error:
            raise InvalidRequestError(
                f"[tokenizer] {reprlib.repr(ids)} cannot be decoded ({error}); give a list of "
                "token ids."
            ) from error
        text = str(self._backend.decode(known, skip_special_tokens=skip_special_tokens))
        if self._clean_up:
            for spaced in _CLEAN_UP:
                text = text.replace(spaced, spaced.strip())
        return text

    def detokenizer(
        self,
        skip_special_tokens: bool = True,
        shown: Collection[str] = (),
        keeps_space: bool = False,
    ) -> detokenizer.Detokenizer:
        """A fresh stream of text for one answer; costs microseconds.

        Args:
            skip_special_tokens: special tokens give no text.
            shown: special tokens that do nonetheless: the marks of a tool-call format.
            keeps_space: the answer goes on a text, so that the first token's leading space is one.
        """
        kept = {i for i in self._special_ids if self._added[i].content in shown} if shown else set()
        skipped = self._special_ids - kept if skip_special_tokens else frozenset()
        if self._steps is None:
            return detokenizer.FinalDetokenizer(
                lambda ids: self.decode([i for i in ids if i not in skipped], False)
            )
        chain = [make() for make in self._steps]
        return detokenizer.Detokenizer(self.id_to_token, skipped, chain, keeps_space)

    def encoder(self) -> Callable[[str], list[int]]:
        """A function from a text to its ids, without what stands around a text; it does not hold
        this tokenizer."""
        backend = self._backend
        return lambda text: list(backend.encode(text, add_special_tokens=False).ids)

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes of one id; where what it stands for depends on others, as it is alone."""
        if self._steps is None:
            return self.decode([token_id], skip_special_tokens=False).encode()
        added = self._added.get(token_id)
        piece = self.id_to_token(token_id) if added is None else added.content
        return token_bytes.token_bytes([piece], self._decoder)[0]

    def token_bytes(self) -> list[bytes]:
        """The bytes of every id; see `token_bytes.token_bytes`. Takes a while: not kept.

        Raises:
            InvalidRequestError: what a token stands for depends on the others.
        """
        if self._steps is None:
            raise InvalidRequestError(
                "[structured] this model's tokenizer decodes texts as a whole, so its answers "
                "cannot be constrained; leave out response_format and tools."
            )
        return token_bytes.token_bytes(self._pieces(), self._decoder)

    def _pieces(self) -> list[str | None]:
        """Every token by its id, one asked for after the other: `get_vocab` holds the GIL for
        longer than a loop may wait."""
        model = self._backend.model
        pieces = [model.id_to_token(i) for i in range(self._backend.get_vocab_size(False))]
        found: dict[int, str] = {i: token.content for i, token in self._added.items()}
        if None in pieces:  # ids with gaps between go beyond
            found = {i: piece for piece, i in self._backend.get_vocab(False).items()} | found
        last = max(found, default=-1)
        if last >= _MAX_ID:
            raise TokenizerError(
                f"[tokenizer] the vocabulary has the id {last}; ids must be below {_MAX_ID}, "
                "so download the model again."
            )
        pieces += [None] * (last + 1 - len(pieces))
        for i, piece in found.items():
            pieces[i] = piece
        return pieces

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of the tokens that are no text."""
        return self._special_ids

    @property
    def control_tokens(self) -> ControlTokens:
        """What keeps the texts of special tokens in messages from becoming these tokens."""
        if self._control_tokens is None:
            self._control_tokens = ControlTokens(self._backend)
        return self._control_tokens

    def added_ids(self, texts: Iterable[str]) -> dict[str, int]:
        """The ids of those of the texts that are added tokens, special or not: an encoder takes
        each as a whole wherever it is spelled out."""
        wanted = frozenset(texts)
        return {token.content: i for i, token in self._added.items() if token.content in wanted}

    def chat_template(self, tools: bool = False, name: str | None = None) -> ChatTemplate:
        """The template to render a conversation with.

        Args:
            tools: the conversation has tools; models with a template of their own for that
                (named "tool_use") get it.
            name: one of `chat_templates`, instead.

        Raises:
            InvalidRequestError: a base model, which has no template, or no template of that name.
        """
        if not self.chat_templates:
            raise InvalidRequestError(
                "[chat_template] this model has no chat template, so it was not made for "
                "conversations; give it plain text with `complete`."
            )
        if name is None:
            name = "tool_use" if tools and "tool_use" in self.chat_templates else "default"
        source = self.chat_templates.get(name)
        if source is None:
            raise InvalidRequestError(
                f"[chat_template] this model has no template named {name!r}; "
                f"it has {', '.join(sorted(self.chat_templates))}."
            )
        template = ChatTemplate(source, self.special_tokens, self._trusted)
        return self._templates.setdefault(name, template)

    @property
    def chat_stop_ids(self) -> frozenset[int]:
        """`stop_ids` and the token that the default template puts after an answer.

        Some configurations forget the latter (`<|end|>`, `<|eot_id|>`), and the answer would then
        run on into a turn of its own making.
        """
        if self._chat_stop_ids is None:
            self._chat_stop_ids = self._find_chat_stop_ids()
        return self._chat_stop_ids

    def _find_chat_stop_ids(self) -> frozenset[int]:
        if "default" not in self.chat_templates:
            return self.stop_ids
        after = self.chat_template().after_answer().lstrip()
        ends = [i for i, token in self._added.items() if after.startswith(token.content)]
        longest = max(ends, key=lambda i: len(self._added[i].content), default=None)
        return self.stop_ids.union(_known(longest))

    def _id_of(self, name: str) -> int | None:
        text = self.special_tokens.get(name)
        return None if text is None else self.token_to_id(text)


def _known(token_id: int | None) -> tuple[int, ...]:
    return () if token_id is None else (token_id,)


def _is_panic(error: BaseException) -> bool:
    """Whether it is the library's own: its panics derive from BaseException."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _why_no_text(text: object) -> str:
    if not isinstance(text, str):
        return f"[tokenizer] a {type(text).__name__} cannot be encoded; give a text."
    at = next(place for place, letter in enumerate(text) if "\ud800" <= letter <= "\udfff")
    return (
        f"[tokenizer] character {at} of the text is half of a surrogate pair "
        f"({text[at]!r}); give text that can be written as UTF-8."
    )


def _read_backend(path: Path) -> tokenizers.Tokenizer:
    data = read_bytes(path, _MAX_BYTES)
    if data is None:
        raise TokenizerError(
            f"[tokenizer] {path.parent} has no tokenizer.json; "
            "use a folder with a Hugging Face tokenizer, or download the model again."
        )
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_buffer(data)
    except BaseException as error:
        # The library's own panics derive from BaseException.
        if not isinstance(error, Exception) and not _is_panic(error):
            raise
        why = str(error).removeprefix("Cannot instantiate Tokenizer from buffer: ")
        raise TokenizerError(
            f"[tokenizer] {path} is not a tokenizer ({why}); download the file again."
        ) from error
