"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from typing import Any

MEDIA_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


def frame(data: Any, event: str | None = None) -> bytes:
    """A message of JSON in ASCII, and the name of its event where the interface has one."""
    text = json.dumps(data, separators=(",", ":"))
    lead = "" if event is None else f"event: {event}\n"
    return f"{lead}data: {text}\n\n".encode("ascii")
