"""Run language models inside your own program: offline, native, safe to call from any thread.

    import convergio_mlx as cm

    engine = cm.Engine.load("convergio-guide")
    for chunk in engine.generate([{"role": "user", "content": "Which model fits in 8 GB?"}]):
        print(chunk.text, end="", flush=True)

Importing this package is light: everything else is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convergio_mlx.context import compaction_threshold
    from convergio_mlx.engine import Engine
    from convergio_mlx.errors import ConvergioError, ErrorCode
    from convergio_mlx.event_stream import AsyncEventStream, EventStream
    from convergio_mlx.events import (
        Answer,
        FinishEvent,
        ReasoningEvent,
        TextEvent,
        ToolCallEvent,
    )
    from convergio_mlx.generation import AsyncGeneration, Chunk, Generation, GenerationStats
    from convergio_mlx.machine import Availability, availability
    from convergio_mlx.sampling import SamplingParams
    from convergio_mlx.tool_calls import ToolCall

_HOMES = {
    "Answer": "events",
    "AsyncEventStream": "event_stream",
    "AsyncGeneration": "generation",
    "Availability": "machine",
    "Chunk": "generation",
    "ConvergioError": "errors",
    "Engine": "engine",
    "ErrorCode": "errors",
    "EventStream": "event_stream",
    "FinishEvent": "events",
    "Generation": "generation",
    "GenerationStats": "generation",
    "ReasoningEvent": "events",
    "SamplingParams": "sampling",
    "TextEvent": "events",
    "ToolCall": "tool_calls",
    "ToolCallEvent": "events",
    "availability": "machine",
    "compaction_threshold": "context",
}

__all__ = [
    "Answer",
    "AsyncEventStream",
    "AsyncGeneration",
    "Availability",
    "Chunk",
    "ConvergioError",
    "Engine",
    "ErrorCode",
    "EventStream",
    "FinishEvent",
    "Generation",
    "GenerationStats",
    "ReasoningEvent",
    "SamplingParams",
    "TextEvent",
    "ToolCall",
    "ToolCallEvent",
    "__version__",
    "availability",
    "compaction_threshold",
]


def __getattr__(name: str) -> object:
    """Imports a public name's module when the name is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
