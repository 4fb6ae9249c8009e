"""A model's chat template: conversations to the very text that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import messages as conversation

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_MAX_SOURCE = 1 << 20
_MAX_OUTPUT = 1 << 26
_PROBE = "probe0f1e2d"
_CONTINUE = "\ue0f0continue\ue0f1"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from convergio_mlx.text.template_sandbox import Environment as Sandbox

    return Sandbox()


@lru_cache(maxsize=16)
def _compile(source: str) -> Template:
    if len(source) > _MAX_SOURCE:
        raise TokenizerError(
            f"[chat_template] the template is {len(source)} characters long; "
            f"use one of at most {_MAX_SOURCE}."
        )
    try:
        return _environment().from_string(source)
    except Exception as error:
        line = getattr(error, "lineno", None)
        place = "" if line is None else f" in line {line}"
        raise TokenizerError(
            f"[chat_template] the template cannot be compiled{place} ({error}); "
            "download the model again, or give another template."
        ) from error


class ChatTemplate:
    """Renders conversations with a Jinja template, as transformers' `apply_chat_template` does.

    Compiled when first used and kept for its source, so that instances cost nothing. What the
    reference renders, this renders to the same characters. Where a template cannot take OpenAI's
    shapes, they are put into the shape it takes: lists of text parts joined to a text, and tool
    arguments as an object or as JSON.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str] | None = None) -> None:
        """Takes the template and the tokens that it knows by name.

        Args:
            source: the Jinja template.
            special_tokens: texts by variable name: `bos_token`, `eos_token`, …
        """
        self.source = source
        self._special_tokens = dict(special_tokens or {})

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        date: datetime | None = None,
        **variables: Any,
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
            variables: further variables of the template, such as `enable_thinking`.

        Raises:
            InvalidRequestError: the messages are not of that shape, the template refuses them or
                fails on them, or it goes beyond its bounds of time and size.
            TokenizerError: the template itself is unsound.
        """
        chat = conversation.checked(messages)
        self._adapt(chat)
        trimmed = self._mark_final(chat) if continue_final_message else None
        text = self._run(
            {
                **self._special_tokens,
                **conversation.plain(variables, "variables"),
                "messages": chat,
                "tools": conversation.checked_tools(tools),
                "documents": conversation.plain(documents, "documents"),
                "add_generation_prompt": add_generation_prompt and not continue_final_message,
            },
            date,
        )
        return text if trimmed is None else _cut_final(text, trimmed)

    def after_answer(self) -> str:
        """What the template writes after an assistant's answer; empty if that cannot be told."""
        chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        try:
            text = self.render(chat, add_generation_prompt=False)
        except InvalidRequestError:
            return ""
        return text.rpartition(_PROBE)[2] if _PROBE in text else ""

    def _adapt(self, chat: list[conversation.Message]) -> None:
        """Puts content and arguments into the shape that this template takes."""
        has_parts = any(isinstance(message.get("content"), list) for message in chat)
        if has_parts and not self._takes_parts:
            conversation.join_parts(chat)
        if any(message.get("tool_calls") for message in chat):
            conversation.convert_arguments(
                chat,
                conversation.arguments_object
                if self._takes_objects
                else conversation.arguments_text,
            )
            if self._needs_content:
                for message in chat:
                    message.setdefault("content", None)

    @cached_property
    def _takes_parts(self) -> bool:
        """Whether it reads a list of text parts, rather than writing it as Python would."""
        text = self._attempt({"role": "user", "content": [{"type": "text", "text": _PROBE}]})
        return text is not None and _PROBE in text and "'text'" not in text and '"text"' not in text

    @cached_property
    def _takes_objects(self) -> bool:
        """Whether it writes arguments given as an object, rather than needing their JSON."""
        function = {"name": "f", "arguments": {_PROBE: 1}}
        call = {"id": "call00000", "type": "function", "function": function}
        user: conversation.Message = {"role": "user", "content": "?"}
        answer = {"role": "assistant", "content": "", "tool_calls": [call]}
        if self._attempt(user, answer) is not None:
            return True
        function["arguments"] = '{"a": 1}'
        return self._attempt(user, answer) is None

    @cached_property
    def _needs_content(self) -> bool:
        """Whether a call without text must be told by a content of None, rather than by none."""
        arguments: Any = {} if self._takes_objects else "{}"
        call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
        user: conversation.Message = {"role": "user", "content": "?"}
        answer = {"role": "assistant", "tool_calls": [{"id": "call00000", **call}]}
        if self._attempt(user, answer) is not None:
            return False
        return self._attempt(user, {**answer, "content": None}) is not None

    def _attempt(self, *chat: conversation.Message) -> str | None:
        names = {"tools": None, "documents": None, "add_generation_prompt": False}
        try:
            return self._run({**self._special_tokens, "messages": list(chat), **names}, None)
        except InvalidRequestError:
            return None

    def _run(self, variables: dict[str, Any], date: datetime | None) -> str:
        template = _compile(self.source)
        from convergio_mlx.text.template_budget import Budget, BudgetError
        from convergio_mlx.text.template_sandbox import BUDGET, RefusalError

        parts: list[str] = []
        size = 0
        try:
            for part in template.generate({**variables, BUDGET: Budget(date)}):
                parts.append(part)
                size += len(part)
                if size > _MAX_OUTPUT:
                    raise BudgetError(f"it writes more than {_MAX_OUTPUT} characters")
            return "".join(parts)
        except RefusalError as error:
            failure = f"the model's template refuses these messages: {error}"
        except BudgetError as error:
            failure = (
                f"the template was stopped because {error}; "
                "give fewer messages, or another template."
            )
        except Exception as error:
            failure = (
                f"the template fails on these messages ({type(error).__name__}: {error}); "
                "give messages of the roles and fields that this model knows."
            )
        # Raised here and not above: a cause would keep all that the template has built.
        parts.clear()
        raise InvalidRequestError(f"[chat_template] {failure}")

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
