"""Answers of JSON in ASCII: no text of a model or a client, lone surrogates included, fails to be
encoded."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class AsciiJsonResponse(JSONResponse):
    """JSON whose other characters are escaped."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
