"""What a chat template takes, found by rendering probes, and messages put into that shape.

Nothing that a caller gives may vanish: a system text goes into the first user message where a
template has no system message, a developer's message is a system message where a template has no
developer, parallel calls follow one another where a template takes one at a time, ids of calls are
made over where a template wants nine letters and digits.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

from convergio_mlx.text import messages as conversation
from convergio_mlx.text.messages import Message

_PROBE = "probe0f1e2d"
_OTHER = "probe3c4b5a"
_ID_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 9
"""What Mistral's templates insist on."""

_USER: Message = {"role": "user", "content": "?"}
_ANSWER: Message = {"role": "assistant", "content": "!"}


def call(name: str, arguments: Any, identity: str = "call00000") -> dict[str, Any]:
    """A tool call in OpenAI's shape."""
    function = {"name": name, "arguments": arguments}
    return {"id": identity, "type": "function", "function": function}


def result(content: str, identity: str = "call00000") -> Message:
    """The message of a tool's result."""
    return {"role": "tool", "tool_call_id": identity, "name": _PROBE, "content": content}


class TemplateShape:
    """What one template takes. Each answer is found once, when first wanted."""

    def __init__(self, attempt: Callable[[Sequence[Message]], str | None]) -> None:
        """`attempt` renders messages as they are; None where the template refuses or fails."""
        self._attempt = attempt
        self._found: dict[str, Any] = {}

    def _once(self, name: str, find: Callable[[], bool]) -> bool:
        """Two threads may both find an answer, which is the same; neither waits for the other."""
        if name not in self._found:
            self._found[name] = find()
        return bool(self._found[name])

    def _writes(self, wanted: str | tuple[str, ...], *chat: Message) -> bool:
        text = self._attempt(chat)
        texts = (wanted,) if isinstance(wanted, str) else wanted
        return text is not None and all(one in text for one in texts)

    @property
    def takes_parts(self) -> bool:
        """Whether it reads a list of text parts, rather than writing it as Python would."""

        def find() -> bool:
            text = self._attempt([{"role": "user", "content": [_part(_PROBE)]}])
            written = text is not None and _PROBE in text
            return written and "'text'" not in str(text) and '"text"' not in str(text)

        return self._once("parts", find)

    @property
    def takes_objects(self) -> bool:
        """Whether it writes arguments given as an object, rather than needing their JSON."""

        def find() -> bool:
            answer = {"role": "assistant", "content": "", "tool_calls": [call("f", {_PROBE: 1})]}
            if self._attempt([_USER, answer]) is not None:
                return True
            answer["tool_calls"] = [call("f", '{"a": 1}')]
            return self._attempt([_USER, answer]) is None

        return self._once("objects", find)

    @property
    def no_content(self) -> Message:
        """How a call without text is told: by no content, a content of None, or an empty one."""
        if "content" not in self._found:
            answer = {"role": "assistant", "tool_calls": [self._call("f")]}
            ways: tuple[Message, ...] = ({}, {"content": None}, {"content": ""})
            taken = (way for way in ways if self._attempt([_USER, {**answer, **way}]) is not None)
            self._found["content"] = next(taken, {})
        return dict(self._found["content"])

    def _call(self, name: str, identity: str = "call00000") -> dict[str, Any]:
        return call(name, {} if self.takes_objects else "{}", identity)

    def _calling(self, *calls: dict[str, Any]) -> Message:
        return {"role": "assistant", "tool_calls": [*calls], **self.no_content}

    @property
    def takes_calls(self) -> bool:
        """Whether it writes a call and its result."""

        def find() -> bool:
            for identity in ("call00000", f"functions.{_PROBE}:0"):  # Kimi's, which has the name
                calling = self._calling(self._call(_PROBE, identity))
                if self._writes((_PROBE, _OTHER), _USER, calling, result(_OTHER, identity)):
                    return True
            return False

        return self._once("calls", find)

    @property
    def takes_parallel_calls(self) -> bool:
        """Whether it writes an answer with two calls and their results; true where it writes no
        calls at all, since they are then written into the text."""

        def find() -> bool:
            if not self.takes_calls:
                return True
            wanted = (_PROBE, _OTHER, "one4d5e6f", "two7a8b9c")
            for first, second in (
                ("call00000", "call00001"),
                (f"functions.{_PROBE}:0", f"functions.{_OTHER}:1"),
            ):
                calling = self._calling(self._call(_PROBE, first), self._call(_OTHER, second))
                results = result("one4d5e6f", first), result("two7a8b9c", second)
                if self._writes(wanted, _USER, calling, *results):
                    return True
            return False

        return self._once("parallel", find)

    @property
    def takes_text_and_reasoning(self) -> bool:
        """Whether an answer with a call may have both text and reasoning; gpt-oss' template
        refuses it."""

        def find() -> bool:
            calling = {**self._calling(self._call("f")), "thinking": _OTHER}
            calling = {"reasoning_content": _OTHER, **calling}
            both = self._attempt([_USER, {**calling, "content": _PROBE}])
            return both is not None or self._attempt([_USER, calling]) is None

        return self._once("text and reasoning", find)

    @property
    def takes_any_id(self) -> bool:
        """Whether a call may have any id, or none; some templates want nine letters and digits."""

        def find() -> bool:
            identity = "call_0123456789abcdef01234567"
            chat = [_USER, self._calling(self._call("f", identity)), result("", identity)]
            if self._attempt(chat) is not None:
                return True
            return self._attempt([_USER, self._calling(self._call("f")), result("")]) is None

        return self._once("ids", find)

    @property
    def takes_system(self) -> bool:
        """Whether a conversation may begin with a system message."""
        return self._takes_first("system")

    @property
    def takes_developer(self) -> bool:
        """Whether a conversation may begin with a developer's message."""
        return self._takes_first("developer")

    @property
    def takes_two_systems(self) -> bool:
        """Whether two system messages may come one after the other."""
        return self._takes_first("system", "system")

    def _takes_first(self, *roles: str) -> bool:
        """Whether messages of these roles may stand before a user's. A system message may as well
        where not even a user's text is written: the template needs something else, and will say
        so."""

        def find() -> bool:
            texts = (_PROBE, _OTHER)[: len(roles)]
            first = [
                {"role": role, "content": text} for role, text in zip(roles, texts, strict=True)
            ]
            user = {"role": "user", "content": _PROBE}
            is_blind = roles != ("developer",) and not self._writes(_PROBE, user)
            return self._writes(texts, *first, _USER) or is_blind

        return self._once(" ".join(roles), find)

    def adapt(self, chat: list[Message]) -> list[Message]:
        """The messages in the shape that this template takes; `chat` is changed."""
        if any(message["role"] == "developer" for message in chat) and not self.takes_developer:
            for message in chat:
                message["role"] = "system" if message["role"] == "developer" else message["role"]
        if len(chat) > 1 and chat[0]["role"] == "system":
            chat = self._systems(chat)
        if any(message.get("tool_calls") for message in chat):
            chat = self._calls(chat)
        has_parts = any(isinstance(message.get("content"), list) for message in chat)
        if has_parts and not self.takes_parts:
            conversation.join_parts(chat)
        return chat

    def _systems(self, chat: list[Message]) -> list[Message]:
        count = next((i for i, one in enumerate(chat) if one["role"] != "system"), len(chat))
        if count > 1 and not self.takes_two_systems:
            chat = [joined(chat[:count]), *chat[count:]]
            count = 1
        if count == 1 and len(chat) > 1 and chat[1]["role"] == "user" and not self.takes_system:
            chat = [joined(chat[:2]), *chat[2:]]
        return chat

    def _calls(self, chat: list[Message]) -> list[Message]:
        if not self.takes_any_id:
            _shorten_ids(chat)
        if not self.takes_parallel_calls:
            chat = _one_at_a_time(chat)
        if not self.takes_text_and_reasoning:
            chat = [_reasoned(message) for message in chat]
        conversation.convert_arguments(
            chat,
            conversation.arguments_object if self.takes_objects else conversation.arguments_text,
        )
        return [{**self.no_content, **message} for message in chat]


def joined(messages: Sequence[Message]) -> Message:
    """The last message with the texts of those before it in front of its own."""
    parts: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content") or ""
        given = content if isinstance(content, list) else [_part(content)] if content else []
        parts += [_part("\n\n"), *given] if parts and given else given
    if any(isinstance(message.get("content"), list) for message in messages):
        return {**messages[-1], "content": parts}
    return {**messages[-1], "content": "".join(part["text"] for part in parts)}


def _reasoned(message: Message) -> Message:
    """An answer with a call whose text, beside reasoning, becomes the end of the reasoning."""
    thought, content = message.get("reasoning_content"), message.get("content")
    if not (thought and content and message.get("tool_calls")):
        return message
    said = content if isinstance(content, str) else "".join(part["text"] for part in content)
    kept = {key: value for key, value in message.items() if key != "content"}
    both = f"{thought}\n\n{said}"
    return {**kept, "thinking": both, "reasoning_content": both}


def _part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _one_at_a_time(chat: Sequence[Message]) -> list[Message]:
    """Answers with several calls as one message a call, each followed by its result."""
    out: list[Message] = []
    at = 0
    while at < len(chat):
        message = chat[at]
        at += 1
        calls = message.get("tool_calls") or []
        if len(calls) < 2:
            out.append(message)
            continue
        results: list[Message] = []
        while at < len(chat) and chat[at]["role"] == "tool":
            results.append(chat[at])
            at += 1
        for index, one in enumerate(calls):
            said = message if index == 0 else {"role": message["role"]}
            out.append({**said, "tool_calls": [one]})
            own = next((r for r in results if r.get("tool_call_id") == one.get("id")), None)
            if own is None and results:
                own = results[0]
            if own is not None:
                results.remove(own)
                out.append(own)
        out += results
    return out


def _shorten_ids(chat: Sequence[Message]) -> None:
    """Makes every id of a call nine letters and digits: the same for the same id, and its own."""
    made: dict[str, str] = {}
    pending: list[str] = []
    for message in chat:
        for number, one in enumerate(message.get("tool_calls") or []):
            one["id"] = _short(str(one.get("id") or f"call {len(made)} {number}"), made)
            pending.append(one["id"])
        if message["role"] == "tool":
            given = message.get("tool_call_id")
            if given is None:
                message["tool_call_id"] = pending[0] if pending else _short("result", made)
            else:
                message["tool_call_id"] = _short(str(given), made)
            if message["tool_call_id"] in pending:
                pending.remove(message["tool_call_id"])


def _short(identity: str, made: dict[str, str]) -> str:
    if identity not in made:
        import hashlib

        taken, salt, short = set(made.values()), 0, identity
        while not (len(short) == _ID_LENGTH and short.isascii() and short.isalnum()) or (
            short in taken
        ):
            digest = hashlib.sha256(f"{identity}{salt or ''}".encode("utf-8", "surrogatepass"))
            number = int.from_bytes(digest.digest())
            short = "".join(
                _ID_LETTERS[number // len(_ID_LETTERS) ** place % len(_ID_LETTERS)]
                for place in range(_ID_LENGTH)
            )
            salt += 1
        made[identity] = short
    return made[identity]
