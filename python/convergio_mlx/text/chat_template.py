"""A model's chat template: conversations to the very text that the model was trained on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import messages as conversation
from convergio_mlx.text import template_renderer
from convergio_mlx.text.template_shape import TemplateShape

_MAX_SOURCE = 1 << 20
_PROBE = "probe0f1e2d"
_MARK = re.compile(rf"{_PROBE}x\d+x")
_CONTINUE = "\ue0f0continue\ue0f1"
_NOT_VARIABLES = frozenset(
    ("messages", "tools", "documents", "add_generation_prompt", "self", "strftime_now")
)
"""Names that a template cannot read from `chat_template_kwargs`; `self` is jinja2's own."""
_NOTHING = {"tools": None, "documents": None, "add_generation_prompt": False}
_OUTLINES = 1024
"""Outlines of conversations remembered, of which the template leaves nothing out."""


class ChatTemplate:
    """Renders conversations with a Jinja template, as transformers' `apply_chat_template` does.

    What the reference renders, this renders to the same characters, in a process of its own
    (template_process.py). Where a template cannot take OpenAI's shapes, they are put into the shape
    it takes: lists of text parts joined to a text, and tool arguments as an object or as JSON.
    """

    def __init__(
        self,
        source: str,
        special_tokens: Mapping[str, str] | None = None,
        trusted: bool = False,
    ) -> None:
        """Takes the template and the tokens that it knows by name.

        Args:
            source: the Jinja template.
            special_tokens: texts by variable name: `bos_token`, `eos_token`, …
            trusted: render in this process, where nothing bounds the template's time and memory.
        """
        self.source = source
        self._trusted = trusted
        self._special_tokens = dict(special_tokens or {})
        self.shape = TemplateShape(self._attempt)
        self._sound: set[tuple[str, ...]] = set()

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        date: datetime | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        allow_lost_messages: bool = True,
    ) -> str:
        """The prompt of a conversation; encode it without adding special tokens.

        Args:
            messages: OpenAI's shape, see `messages.checked`.
            tools: tool definitions, OpenAI's shape.
            documents: what templates for retrieval read; dicts.
            add_generation_prompt: end with the opening of the assistant's answer.
            continue_final_message: end within the last message, for the model to go on with it;
                there is no opening then.
            date: what the template takes for today; the clock's time without it.
            chat_template_kwargs: further variables of the template, such as `enable_thinking`.
            allow_lost_messages: render although the template leaves a message out, as the reference
                does; False makes that an error.

        Raises:
            InvalidRequestError: the messages are not of that shape, the template refuses them,
                leaves one out or fails on them, or it goes beyond its limits of time and memory.
            TokenizerError: the template itself is unsound, or no process can be started that
                renders it.
        """
        chat = self.shape.adapt(conversation.checked(messages))
        variables = {
            **self._special_tokens,
            **_variables(chat_template_kwargs),
            "tools": conversation.checked_tools(tools),
            "documents": conversation.plain(documents, "documents"),
            "add_generation_prompt": add_generation_prompt and not continue_final_message,
        }
        if not allow_lost_messages:
            self._check_written(chat, variables)
        trimmed = self._mark_final(chat) if continue_final_message else None
        text = self._run({**variables, "messages": chat}, date)
        return text if trimmed is None else _cut_final(text, trimmed)

    def after_answer(self) -> str:
        """What the template writes after an assistant's answer; empty if that cannot be told."""
        chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        try:
            text = self.render(chat, add_generation_prompt=False)
        except InvalidRequestError:
            return ""
        return text.rpartition(_PROBE)[2] if _PROBE in text else ""

    def _attempt(self, chat: Sequence[conversation.Message]) -> str | None:
        try:
            return self._run({**self._special_tokens, "messages": [*chat], **_NOTHING}, None)
        except InvalidRequestError:
            return None

    def _check_written(
        self, chat: Sequence[conversation.Message], variables: dict[str, Any]
    ) -> None:
        """Refuses a conversation of which the template leaves a message out.

        Raises:
            InvalidRequestError: it says which.
        """
        roles = tuple(_outline(message) for message in chat)
        if roles not in self._sound:
            marked, marks = _marked(chat)
            try:
                text = self._run({**variables, "messages": marked}, None)
            except InvalidRequestError:
                return  # the conversation itself will say why
            written = {*_MARK.findall(text), ""}
            for index, mark in enumerate(marks):
                if mark not in written:
                    raise InvalidRequestError(
                        f"[messages] the model's chat template leaves out messages[{index}], which "
                        f"has the role {chat[index]['role']!r} and comes "
                        f"{'first' if index == 0 else 'after ' + repr(chat[index - 1]['role'])}; "
                        "put its text into another message, or allow that with "
                        "allow_lost_messages=True."
                    )
            if len(self._sound) >= _OUTLINES:
                self._sound.clear()
            self._sound.add(roles)

    def _run(self, variables: dict[str, Any], date: datetime | None) -> str:
        if len(self.source) > _MAX_SOURCE:
            raise TokenizerError(
                f"[chat_template] the template is {len(self.source)} characters long; "
                f"use one of at most {_MAX_SOURCE}."
            )
        in_process = self._trusted or os.environ.get("CONVERGIO_MLX_TEMPLATES") == "in-process"
        if in_process:
            render = template_renderer.render
        else:
            from convergio_mlx.text.template_process import render
        try:
            kind, text = render(self.source, variables, None if date is None else date.isoformat())
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits
            raise InvalidRequestError(
                f"[chat_template] the messages are no JSON ({error}); give JSON's values."
            ) from error
        if kind == template_renderer.RENDERED:
            return text
        if kind == template_renderer.UNSOUND:
            raise TokenizerError(
                f"[chat_template] the template cannot be compiled{text}; "
                "download the model again, or give another template."
            )
        if kind == template_renderer.REFUSED:
            why = f"the model's template refuses these messages: {text}"
        elif kind == template_renderer.STOPPED:
            why = (
                f"the template was stopped because {text}; give fewer messages, or another template"
                "."
            )
        else:
            why = (
                f"the template fails on these messages ({text}); "
                "give messages of the roles and fields that this model knows."
            )
        raise InvalidRequestError(f"[chat_template] {why}")

    def _mark_final(self, chat: list[conversation.Message]) -> str:
        """Puts a mark after the last message's text, and returns that text."""
        content = chat[-1].get("content")
        holder, key = chat[-1], "content"
        if isinstance(content, list) and content:
            holder, key = content[-1], "text"
        text = holder.get(key)
        if not isinstance(text, str):
            raise InvalidRequestError(
                "[chat_template] the last message has no content to continue; "
                "give it some, or leave continue_final_message off."
            )
        holder[key] = f"{text}{_CONTINUE} "
        return text.strip()


def _cut_final(rendered: str, final: str) -> str:
    """The rendered text up to the mark; its trailing space is gone where the template trims."""
    before, mark, after = rendered.rpartition(_CONTINUE)
    if not mark or final not in rendered:
        raise InvalidRequestError(
            "[chat_template] the model's template does not write the last message as it is, so it "
            "cannot be continued; leave continue_final_message off."
        )
    return before if after.startswith(" ") else before.rstrip()


def _variables(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidRequestError(
            f"[chat_template] chat_template_kwargs is of type {type(given).__name__}; give a "
            "dict of the template's variables."
        )
    for name in given:
        if not isinstance(name, str) or not name.isidentifier() or name in _NOT_VARIABLES:
            raise InvalidRequestError(
                f"[chat_template] chat_template_kwargs has {name!r}, which is no name of a "
                "variable or is one that is always set; give names other than "
                f"{', '.join(sorted(_NOT_VARIABLES))}."
            )
    return dict(conversation.plain(given, "chat_template_kwargs"))


def _outline(message: conversation.Message) -> str:
    """What of a message decides whether a template writes it."""
    has = [key for key in ("content", "tool_calls", "reasoning_content") if message.get(key)]
    return f"{message['role']} {' '.join(has)}"


def _marked(chat: Sequence[conversation.Message]) -> tuple[list[conversation.Message], list[str]]:
    """The conversation with a mark in each message, in place of its text or of a call's name; ""
    stands for a message that says nothing."""
    marks = [f"{_PROBE}x{index}x" if _says(message) else "" for index, message in enumerate(chat)]
    marked = [_with_mark(message, mark) for message, mark in zip(chat, marks, strict=True)]
    return marked, marks


def _says(message: conversation.Message) -> bool:
    content = message.get("content") or ""
    texts = [part["text"] for part in content] if isinstance(content, list) else [content]
    return bool(message.get("tool_calls")) or any(text.strip() for text in texts)


def _with_mark(message: conversation.Message, mark: str) -> conversation.Message:
    if not mark:
        return message
    if calls := message.get("tool_calls"):
        first = dict(calls[0])
        if "function" in first:
            first["function"] = {**first["function"], "name": mark}
        else:
            first["name"] = mark
        return {**message, "tool_calls": [first, *calls[1:]]}
    is_list = isinstance(message["content"], list)
    return {**message, "content": [{"type": "text", "text": mark}] if is_list else mark}
