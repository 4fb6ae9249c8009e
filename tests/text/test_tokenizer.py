"""The tokenizer against transformers' reading of the same folders, and unsound folders."""

import contextlib
import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import model_folder
from convergio_mlx.text.tokenizer import Tokenizer
from vocabularies import (
    FOLDERS,
    LINES,
    MADE,
    REAL,
    SPECIAL,
    fuzz,
    made,
    real,
    texts,
    tokenizer,
    write_folder,
)

os.environ["TRANSFORMERS_VERBOSITY"] = "error"


@lru_cache(maxsize=6)  # a real one takes a second and a hundred megabytes
def reference(folder: Path) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(str(folder))


def check(tok: Tokenizer, folder: Path, text: str) -> None:
    ref = reference(folder)
    for special in (False, True):
        assert tok.encode(text, special) == ref.encode(text, add_special_tokens=special)
    ids = tok.encode(text)
    for skip in (False, True):
        assert tok.decode(ids, skip) == ref.decode(ids, skip_special_tokens=skip)


@pytest.mark.slow
@pytest.mark.parametrize("name", real)
def test_known_texts_as_transformers(name: str) -> None:
    for text in LINES:
        check(tokenizer(name), FOLDERS[name], text)


def test_two_bos_tokens_of_the_text_itself_stay() -> None:
    backend = made("byte-level")
    backend.add_special_tokens(["<s>"])
    tok = Tokenizer(backend, {"bos_token": "<s>"})
    bos = tok.bos_id
    assert tok.encode("<s><s>") == [bos, bos]


@pytest.mark.parametrize("name", real)
@fuzz
@given(text=texts)
def test_any_text_as_transformers(name: str, text: str) -> None:
    check(tokenizer(name), FOLDERS[name], text)


@pytest.mark.parametrize("name", real)
@fuzz
@given(data=st.data(), skip=st.booleans())
def test_any_ids_decode_as_transformers(name: str, data: st.DataObject, skip: bool) -> None:
    tok, ref = tokenizer(name), reference(FOLDERS[name])
    ids = data.draw(st.lists(st.integers(0, tok.vocab_size - 1), max_size=30))
    assert tok.decode(ids, skip) == ref.decode(ids, skip_special_tokens=skip)


@pytest.mark.parametrize("name", real)
def test_vocabulary_as_transformers(name: str) -> None:
    tok, ref = tokenizer(name), reference(FOLDERS[name])
    assert tok.vocab_size == len(ref)
    assert (tok.bos_id, tok.eos_id) == (ref.bos_token_id, ref.eos_token_id)
    assert tok.special_tokens == ref.special_tokens_map
    assert [tok.id_to_token(i) for i in range(300)] == ref.convert_ids_to_tokens(list(range(300)))
    assert tok.token_to_id("the") == ref.convert_tokens_to_ids("the")
    assert tok.token_to_id("no such token") is None
    assert tok.id_to_token(tok.vocab_size) is None
    assert tok.id_to_token(-1) is None


TOKEN = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
CONFIGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "names only": {"tokenizer_config": {"bos_token": "<s>", "eos_token": "<|im_end|>"}},
    "ordinary word made special": {
        "tokenizer_config": {"eos_token": "<think>", "pad_token": "the"}
    },
    "new tokens": {"tokenizer_config": {"mask_token": "<new>", "image_token": "<image>"}},
    "older objects": {
        "tokenizer_config": {"eos_token": {"__type": "AddedToken", "content": "</s>", **TOKEN}}
    },
    "more special": {"tokenizer_config": {"additional_special_tokens": ["<a>", "the", "<think>"]}},
    "named more": {"tokenizer_config": {"extra_special_tokens": {"image_token": "<image>"}}},
    "table": {
        "tokenizer_config": {
            "eos_token": "<|end|>",
            "added_tokens_decoder": {
                "5": {"content": "<|end|>", **TOKEN, "rstrip": True, "special": True},
                "4": {"content": "<|im_end|>", **TOKEN, "lstrip": True, "special": False},
                "999": {"content": "<fresh>", **TOKEN, "special": False},
            },
        },
        "special_tokens_map": {"eos_token": "ignored"},
    },
    "map file": {
        "tokenizer_config": {"eos_token": "<s>"},
        "special_tokens_map": {
            "eos_token": {"content": "</s>", **TOKEN, "rstrip": True},
            "additional_special_tokens": ["<b>"],
        },
    },
    "older added tokens": {"added_tokens": {"<old>": 900, "</s>": 1, "<older>": 800}},
    "special tokens as text": {"tokenizer_config": {"split_special_tokens": True}},
    "clean up": {"tokenizer_config": {"clean_up_tokenization_spaces": True}},
    "forced clean up": {
        "tokenizer_config": {
            "clean_up_tokenization_spaces": True,
            "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True,
        }
    },
    "bos by config": {"tokenizer_config": {"bos_token": "<s>", "add_bos_token": True}},
}
TEXTS = [
    *LINES,
    "a <|end|> \n b <|im_end|>  c<think>the<new> <image> <fresh><old> <older>x</s> \n<a><b>y",
    "one , two . three ! don 't we 're",
]


@pytest.mark.parametrize("kind", ["byte-level", "sentencepiece"])
@pytest.mark.parametrize("config", CONFIGS)
def test_files_beside_tokenizer_json_as_transformers(
    tmp_path: Path, kind: str, config: str
) -> None:
    folder = write_folder(tmp_path, made(kind), **CONFIGS[config])
    tok, ref = Tokenizer.from_folder(folder), reference(folder)
    for text in TEXTS:
        check(tok, folder, text)
        ids = tok.encode(text)
        stream = tok.detokenizer()
        assert "".join([*map(stream.add, ids), stream.finish()]) == tok.decode(ids)
    assert tok.vocab_size == len(ref)
    assert tok.special_tokens == ref.special_tokens_map


def test_truncation_and_padding_of_tokenizer_json_are_off(tmp_path: Path) -> None:
    backend = made("byte-level")
    backend.enable_truncation(3)
    backend.enable_padding(length=20)
    folder = write_folder(tmp_path, backend)
    for text in ("x", "many words here"):
        check(Tokenizer.from_folder(folder), folder, text)


LLAMA = [
    {},
    {"legacy": True},
    {"legacy": False},
    {"add_prefix_space": False},
    {"add_prefix_space": True, "legacy": True, "eos_token": "<|im_end|>"},
]


@pytest.mark.parametrize("kind", ["byte-level", "sentencepiece"])
@pytest.mark.parametrize("config", LLAMA)
@pytest.mark.parametrize("model_type", ["llama", "mistral", "phi3"])
def test_the_class_llama_tokenizer_as_transformers(
    tmp_path: Path, kind: str, config: dict[str, Any], model_type: str
) -> None:
    folder = write_folder(
        tmp_path,
        made(kind),
        tokenizer_config={"tokenizer_class": "LlamaTokenizerFast", **config},
        config={"model_type": model_type},
    )
    tok = Tokenizer.from_folder(folder)
    for text in LINES:
        check(tok, folder, text)


@pytest.mark.slow
@pytest.mark.skipif("phi-3" not in REAL, reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("model_type", ["llama", "phi3"])
def test_the_class_llama_tokenizer_with_a_real_vocabulary(tmp_path: Path, model_type: str) -> None:
    folder = write_folder(
        tmp_path,
        FOLDERS["phi-3"] / "tokenizer.json",
        tokenizer_config={"tokenizer_class": "LlamaTokenizer"},
        config={"model_type": model_type},
    )
    tok = Tokenizer.from_folder(folder)
    for text in LINES:
        check(tok, folder, text)


def test_a_beginning_is_never_doubled(tmp_path: Path) -> None:
    from tokenizers import processors

    backend = made("byte-level")
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    folder = write_folder(tmp_path, backend, tokenizer_config={"bos_token": "<s>"})
    tok = Tokenizer.from_folder(folder)
    body = tok.encode("hi", add_special_tokens=False)
    assert tok.encode("hi") == [0, *body, 1]
    assert tok.encode("<s>hi") == [0, *body, 1]
    assert tok.encode("<s>hi", add_special_tokens=False) == [0, *body]
    assert tok.encode("") == [0, 1]


STOPS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set()),
    ({"tokenizer_config": {"eos_token": "</s>"}}, {"</s>"}),
    ({"config": {"eos_token_id": 3}}, {"<|im_start|>"}),
    ({"config": {"eos_token_id": [3, 4]}}, {"<|im_start|>", "<|im_end|>"}),
    (
        {"config": {"eos_token_id": 3}, "generation_config": {"eos_token_id": [5]}},
        {"<|end|>"},
    ),
    (
        {"config": {"eos_token_id": 3}, "generation_config": {"eos_token_id": None}},
        {"<|im_start|>"},
    ),
    (
        {"tokenizer_config": {"eos_token": "</s>"}, "generation_config": {"eos_token_id": 5}},
        {"</s>", "<|end|>"},
    ),
]


@pytest.mark.parametrize(("files", "expected"), STOPS)
def test_ids_that_end_a_text(tmp_path: Path, files: dict[str, Any], expected: set[str]) -> None:
    tok = Tokenizer.from_folder(write_folder(tmp_path, made("byte-level"), **files))
    assert {tok.id_to_token(i) for i in tok.stop_ids} == expected
    assert tok.chat_stop_ids == tok.stop_ids


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_the_token_that_the_template_ends_an_answer_with_ends_a_chat(tmp_path: Path) -> None:
    config = {"eos_token": "</s>", "chat_template": CHATML}
    tok = Tokenizer.from_folder(write_folder(tmp_path, made("byte-level"), tokenizer_config=config))
    assert {tok.id_to_token(i) for i in tok.stop_ids} == {"</s>"}
    assert {tok.id_to_token(i) for i in tok.chat_stop_ids} == {"</s>", "<|im_end|>"}


def test_a_template_that_refuses_the_probe_adds_no_end(tmp_path: Path) -> None:
    config = {"eos_token": "</s>", "chat_template": "{{ raise_exception('no') }}"}
    tok = Tokenizer.from_folder(write_folder(tmp_path, made("byte-level"), tokenizer_config=config))
    assert tok.chat_stop_ids == tok.stop_ids


@pytest.mark.parametrize("name", real)
def test_ends_of_the_real_ones(name: str) -> None:
    expected = {
        "qwen2.5": {"<|im_end|>"},
        "deepseek-r1-qwen": {"<｜end▁of▁sentence｜>"},
        "phi-3": {"<|endoftext|>", "<|end|>"},
        "llama-3": {"<|eot_id|>"},
        "guide": {"<|im_end|>", "<|endoftext|>"},
    }
    if name not in expected:
        pytest.skip("another tokenizer")
    tok = tokenizer(name)
    assert {tok.id_to_token(i) for i in tok.chat_stop_ids} == expected[name]


def test_where_templates_come_from(tmp_path: Path) -> None:
    def read(**config: Any) -> dict[str, str]:
        path = tmp_path / "tokenizer_config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        tok = Tokenizer.from_folder(tmp_path)
        if tok.chat_templates and "legacy" not in config:
            ref = reference.__wrapped__(tmp_path).chat_template
            assert tok.chat_templates == ({"default": ref} if isinstance(ref, str) else ref)
        return dict(tok.chat_templates)

    write_folder(tmp_path, made("byte-level"))
    assert read() == {}
    (tmp_path / "chat_template.json").write_text('{"chat_template": "J"}', encoding="utf-8")
    assert read(legacy=1) == {"default": "J"}
    assert read(chat_template="A") == {"default": "A"}
    named = [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "T"}]
    assert read(chat_template=named) == {"default": "A", "tool_use": "T"}
    (tmp_path / "chat_template.jinja").write_text("F", encoding="utf-8")
    assert read(chat_template="A") == {"default": "F"}
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("R", encoding="utf-8")
    assert read(chat_template="A") == {"default": "F", "rag": "R"}


def test_choice_of_a_template() -> None:
    templates = {"default": "D", "tool_use": "T", "rag": "R"}
    tok = Tokenizer(made("byte-level"), chat_templates=templates)
    assert tok.chat_template().source == "D"
    assert tok.chat_template(tools=True).source == "T"
    assert tok.chat_template(tools=True, name="rag").source == "R"
    with pytest.raises(InvalidRequestError) as error:
        tok.chat_template(name="other")
    assert str(error.value) == (
        "[chat_template] this model has no template named 'other'; it has default, rag, tool_use."
    )


def test_a_base_model_has_no_template() -> None:
    with pytest.raises(InvalidRequestError) as error:
        Tokenizer(made("byte-level")).chat_template()
    assert str(error.value) == (
        "[chat_template] this model has no chat template, so it was not made for conversations; "
        "give it plain text with `complete`."
    )


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as error:
        tokenizer("byte-level").encode("ab\ud83d")
    assert str(error.value) == (
        "[tokenizer] character 2 of the text is half of a surrogate pair ('\\ud83d'); "
        "give text that can be written as UTF-8."
    )


def test_only_texts_are_encoded() -> None:
    with pytest.raises(InvalidRequestError) as error:
        tokenizer("byte-level").encode(b"bytes")  # type: ignore[arg-type]
    assert str(error.value) == "[tokenizer] a bytes cannot be encoded; give a text."


def test_ids_outside_the_vocabulary_have_no_text() -> None:
    tok = tokenizer("byte-level")
    assert tok.decode([-1, 10**6, 10**12, *tok.encode("ok", False)]) == "ok"
    stream = tok.detokenizer()
    assert [stream.add(i) for i in (-1, 10**6, 10**12)] == ["", "", ""]


def error_of(folder: Path) -> str:
    with pytest.raises(TokenizerError) as error:
        Tokenizer.from_folder(folder)
    return str(error.value)


def test_no_tokenizer_json(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert error_of(folder) == (
            f"[tokenizer] {folder} has no tokenizer.json; "
            "use a folder with a Hugging Face tokenizer, or download the model again."
        )


BROKEN = {
    "{": "EOF while parsing an object at line 1 column 1",
    "": "EOF while parsing a value at line 1 column 0",
    "[]": "invalid type: sequence, expected struct Tokenizer at line 1 column 2",
    "{}": "Model missing. at line 1 column 2",
}


@pytest.mark.parametrize("text", BROKEN)
def test_unsound_tokenizer_json(tmp_path: Path, text: str) -> None:
    folder = write_folder(tmp_path, text)
    assert error_of(folder) == (
        f"[tokenizer] {folder / 'tokenizer.json'} is not a tokenizer ({BROKEN[text]}); "
        "download the file again."
    )


def test_every_cut_of_tokenizer_json_is_an_error(tmp_path: Path) -> None:
    text = made("sentencepiece").to_str()
    path = tmp_path / "tokenizer.json"
    for end in range(0, len(text), 97):
        path.write_text(text[:end], encoding="utf-8")
        assert error_of(tmp_path).endswith("download the file again.")


def test_a_panic_of_the_library_is_an_error_too(tmp_path: Path) -> None:
    charsmap = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    state = {**json.loads(made("byte-level").to_str()), "normalizer": charsmap}
    folder = write_folder(tmp_path, json.dumps(state))
    assert "is not a tokenizer (Precompiled: " in error_of(folder)


BESIDE = {
    "{": "is not JSON (Expecting property name enclosed in double quotes: "
    "line 1 column 2 (char 1))",
    "[" * 100_000: "is not JSON (maximum recursion depth exceeded while decoding a JSON array "
    "from a unicode string)",
    "[1]": "holds a list, not an object",
}


@pytest.mark.parametrize(
    "name", ["tokenizer_config", "special_tokens_map", "config", "generation_config"]
)
@pytest.mark.parametrize("text", BESIDE, ids=["cut", "deep", "list"])
def test_unsound_files_beside(tmp_path: Path, name: str, text: str) -> None:
    folder = write_folder(tmp_path, made("byte-level"))
    path = folder / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    assert error_of(folder) == f"[tokenizer] {path} {BESIDE[text]}; download the file again."


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, made("byte-level"))
    path = folder / "tokenizer_config.json"
    path.write_bytes(b'{"a": "\xff"}')
    assert error_of(folder) == (
        f"[tokenizer] {path}: byte 7 is not UTF-8; download the file again."
    )


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path, made("byte-level"))
    path = folder / "tokenizer.json"

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(model_folder, "read_file", refuse)  # root may read anything
    assert error_of(folder) == (
        f"[tokenizer] {path} cannot be read (Permission denied); make it readable."
    )


def test_a_file_beyond_all_measure(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, made("byte-level"))
    path = folder / "config.json"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert error_of(folder) == (
        f"[tokenizer] {path} cannot be read (it has more than 67108864 bytes); download the file "
        "again."
    )


@pytest.mark.parametrize("value", ["</s>", [1, "2"], True, -1, 1.5, {}])
def test_eos_token_id_of_a_wrong_form(tmp_path: Path, value: Any) -> None:
    folder = write_folder(tmp_path, made("byte-level"), generation_config={"eos_token_id": value})
    assert error_of(folder) == (
        f"[tokenizer] {folder / 'generation_config.json'}: 'eos_token_id' is {value!r}; "
        "it must be a token id or a list of them."
    )


WRONG_TABLES: list[tuple[Any, str]] = [
    ([1], "AttributeError: 'list' object has no attribute 'items'"),
    ({"x": {"content": "a"}}, "ValueError: invalid literal for int() with base 10: 'x'"),
    ({"1": 2}, "TypeError: 'int' object is not iterable"),
    ({"1": {"special": True}}, "KeyError: 'content'"),
]


@pytest.mark.parametrize(("value", "reason"), WRONG_TABLES)
def test_added_tokens_decoder_of_a_wrong_form(tmp_path: Path, value: Any, reason: str) -> None:
    config = {"added_tokens_decoder": value}
    folder = write_folder(tmp_path, made("byte-level"), tokenizer_config=config)
    assert error_of(folder) == (
        f"[tokenizer] added_tokens_decoder is not a table of tokens and their ids ({reason}); "
        "download the model again."
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "1", "special", "<new>"]), inner, max_size=3)
    ),
    max_leaves=6,
)
fields = st.dictionaries(
    st.sampled_from(
        [
            *("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"),
            *("bos_token", "eos_token", "x_token", "chat_template", "tokenizer_class", "legacy"),
            *("add_prefix_space", "clean_up_tokenization_spaces", "model_type", "eos_token_id"),
        ]
    ),
    json_values | st.just("LlamaTokenizer") | st.just("llama"),
    max_size=4,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["tokenizer_config", "special_tokens_map", "added_tokens", "config", "generation_config"],
)
@fuzz
@given(values=fields | st.dictionaries(st.text(max_size=3), json_values, max_size=3))
def test_any_values_load_or_are_a_tokenizer_error(name: str, values: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        write_folder(Path(folder), made_once("sentencepiece"), **{name: values})
        with contextlib.suppress(TokenizerError):
            tok = Tokenizer.from_folder(folder)
            tok.decode(tok.encode("a text <new>"))


@lru_cache
def made_once(name: str) -> str:
    return made(name).to_str()


@pytest.mark.parametrize("value", [7, [1], [{"name": "a"}]])
def test_chat_template_of_a_wrong_form(tmp_path: Path, value: Any) -> None:
    config = {"chat_template": value}
    folder = write_folder(tmp_path, made("byte-level"), tokenizer_config=config)
    assert error_of(folder) == (
        f"[tokenizer] {folder}: 'chat_template' is neither a text nor a list of named texts; "
        "download the model again."
    )


def test_nothing_heavy_is_imported_before_its_use(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, made("byte-level"))
    code = f"""
import sys
from convergio_mlx.text.tokenizer import Tokenizer
assert not {{"tokenizers", "jinja2", "numpy"}} & set(sys.modules)
tok = Tokenizer.from_folder({str(folder)!r})
tok.decode(tok.encode("hello"))
assert not {{"jinja2", "numpy", "transformers", "huggingface_hub"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_special_tokens_made_here_are_special() -> None:
    tok = tokenizer("byte-level")
    ids = tok.encode("".join(SPECIAL))
    assert [tok.id_to_token(i) for i in ids] == SPECIAL
    assert tok.decode(ids) == ""
    assert tok.decode(ids, skip_special_tokens=False) == "".join(SPECIAL)


LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e"
    "adbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer.json", "tokenizer_config.json"])
def test_a_pointer_of_git_lfs_is_refused(name: str, tmp_path: Path) -> None:
    write_folder(tmp_path, made("byte-level"))
    (tmp_path / name).write_text(LFS_POINTER)
    with pytest.raises(TokenizerError) as error:
        Tokenizer.from_folder(tmp_path)
    assert str(error.value) == (
        f"[tokenizer] {tmp_path / name} is a pointer of Git LFS, not the file itself; run `git lfs "
        "pull` in its folder, or download the model again."
    )


@pytest.mark.parametrize("name", [*real, *MADE])
def test_a_long_text_has_the_ids_of_a_short_one(name: str) -> None:
    text = "".join(LINES) * 20
    backend = tokenizer(name)._backend
    assert len(text) > 1 << 12
    for special in (True, False):
        ids = tokenizer(name).encode(text, add_special_tokens=special)
        wanted = backend.encode(text, add_special_tokens=special).ids
        assert ids == wanted[wanted[:2] == [tokenizer(name).bos_id] * 2 :]


def test_a_text_beyond_measure_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as error:
        tokenizer("byte-level").encode("a" * ((16 << 20) + 1))
    assert str(error.value) == (
        "[tokenizer] the text has 16777217 characters; give at most 16777216."
    )


def test_a_panic_while_encoding_is_a_tokenizer_error() -> None:
    class PanicException(BaseException):
        pass

    class Backend:
        def encode(self, *_: object, **__: object) -> None:
            raise PanicException("index out of bounds")

    found = Tokenizer(made("byte-level"))
    found._backend = Backend()  # type: ignore[assignment]
    with pytest.raises(TokenizerError) as error:
        found.encode("a")
    assert str(error.value) == (
        "[tokenizer] the model's tokenizer fails on this text (index out of bounds); download the "
        "model again, or give another text."
    )


def test_an_id_that_no_vocabulary_has_is_refused() -> None:
    vocabulary = {"a": 0, "b": 300_000_000}
    import tokenizers
    from tokenizers import decoders, models

    backend = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    backend.decoder = decoders.ByteLevel()
    with pytest.raises(TokenizerError) as error:
        Tokenizer(backend).token_bytes()
    assert str(error.value) == (
        "[tokenizer] the vocabulary has the id 300000000; ids must be below 16777216, so download "
        "the model again."
    )
