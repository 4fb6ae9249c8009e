"""Text made safe to show: nothing that a terminal obeys, and nothing that cannot be seen."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = {code: f"^{chr(code ^ 64)}" for code in (*range(32), 127)}
_CONTROL |= {code: f"\\x{code:02x}" for code in range(128, 160)}
_CONTROL |= {ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}

_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_INVISIBLE = re.compile(
    # Unicode's Default_Ignorable_Code_Point, line and paragraph separators, annotation marks
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_IS_JOINER = re.compile(f"[{_JOINERS}]")
_IS_SELECTOR = re.compile(f"[{_SELECTORS}]")
_KEYCAPS = "0123456789#*"


def neutral(text: str, before: str = "") -> str:
    """A text without what terminals obey or hide: control characters are spelled out as `cat -v`
    does (`^[` for escape), carriage returns are dropped, newlines and tabs stay. Characters that
    cannot be seen, such as those that reverse the direction of writing, have no width, or are tags,
    are spelled out as Python does (`\\u202e`). A joiner or a variation selector stays where writing
    and emoji need it: one, after a visible character that can have it.

    Args:
        text: what is to be shown.
        before: the character that was shown before it, if any.
    """
    if text.isascii():
        return text.translate(_CONTROL)
    parts = []
    end = 0
    for found in _INVISIBLE.finditer(text):
        previous = text[found.start() - 1] if found.start() else before
        if _belongs(found[0], previous):
            continue
        parts += [text[end : found.start()], _spelled(found[0])]
        end = found.end()
    return "".join([*parts, text[end:]]).translate(_CONTROL)


def _belongs(letter: str, previous: str) -> bool:
    if not previous:
        return False
    if _IS_JOINER.match(letter):
        joinable = previous == "\ufe0f" or not _INVISIBLE.match(previous)
        return joinable and not previous.isascii()
    if _IS_SELECTOR.match(letter):
        if previous in _KEYCAPS:
            return letter in "\ufe0e\ufe0f"
        is_base = unicodedata.category(previous)[0] in "LSPN"
        return is_base and not previous.isascii() and not _INVISIBLE.match(previous)
    return False


def _spelled(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
