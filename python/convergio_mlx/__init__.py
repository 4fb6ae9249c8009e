"""Run language models inside your own program: offline, native, safe to call from any thread.

    import convergio_mlx as cm

    engine = cm.Engine.load("convergio-guide")
    for chunk in engine.generate([{"role": "user", "content": "Which model fits in 8 GB?"}]):
        print(chunk.text, end="", flush=True)

Importing this package is light: everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convergio_mlx.answers.event_stream import AsyncEventStream, EventStream
    from convergio_mlx.answers.events import (
        Answer,
        FinishEvent,
        ReasoningEvent,
        TextEvent,
        ToolCallEvent,
    )
    from convergio_mlx.answers.tool_calls import ToolCall
    from convergio_mlx.compaction import Compaction
    from convergio_mlx.context import compaction_threshold
    from convergio_mlx.conversation import Conversation
    from convergio_mlx.engine import Engine
    from convergio_mlx.errors import ConvergioError, ErrorCode
    from convergio_mlx.generation import AsyncGeneration, Chunk, Generation, GenerationStats
    from convergio_mlx.machine import Availability, availability
    from convergio_mlx.memory import MemoryUse, memory_use, set_memory_limit
    from convergio_mlx.providers.chat import (
        ChatResponse,
        ResponseEvent,
        StreamHandler,
        TokenUsage,
        ToolDefinition,
    )
    from convergio_mlx.providers.interface import (
        CostTier,
        ModelConfig,
        Provider,
        ProviderErrorInfo,
        ProviderType,
    )
    from convergio_mlx.providers.mlx import MlxProvider, mlx_provider_create
    from convergio_mlx.providers.registry import ProviderRegistry
    from convergio_mlx.providers.stream import AsyncChatStream, ChatStream
    from convergio_mlx.request import EventOptions, GenerateOptions
    from convergio_mlx.sampling import SamplingParams

_HOMES = {
    "Answer": "answers.events",
    "AsyncChatStream": "providers.stream",
    "AsyncEventStream": "answers.event_stream",
    "AsyncGeneration": "generation",
    "Availability": "machine",
    "ChatResponse": "providers.chat",
    "ChatStream": "providers.stream",
    "Chunk": "generation",
    "Compaction": "compaction",
    "ConvergioError": "errors",
    "Conversation": "conversation",
    "CostTier": "providers.interface",
    "Engine": "engine",
    "ErrorCode": "errors",
    "EventOptions": "request",
    "EventStream": "answers.event_stream",
    "FinishEvent": "answers.events",
    "GenerateOptions": "request",
    "Generation": "generation",
    "GenerationStats": "generation",
    "MemoryUse": "memory",
    "MlxProvider": "providers.mlx",
    "ModelConfig": "providers.interface",
    "Provider": "providers.interface",
    "ProviderErrorInfo": "providers.interface",
    "ProviderRegistry": "providers.registry",
    "ProviderType": "providers.interface",
    "ReasoningEvent": "answers.events",
    "ResponseEvent": "providers.chat",
    "SamplingParams": "sampling",
    "StreamHandler": "providers.chat",
    "TextEvent": "answers.events",
    "TokenUsage": "providers.chat",
    "ToolCall": "answers.tool_calls",
    "ToolCallEvent": "answers.events",
    "ToolDefinition": "providers.chat",
    "availability": "machine",
    "compaction_threshold": "context",
    "memory_use": "memory",
    "mlx_provider_create": "providers.mlx",
    "set_memory_limit": "memory",
}

__all__ = [
    "Answer",
    "AsyncChatStream",
    "AsyncEventStream",
    "AsyncGeneration",
    "Availability",
    "ChatResponse",
    "ChatStream",
    "Chunk",
    "Compaction",
    "ConvergioError",
    "Conversation",
    "CostTier",
    "Engine",
    "ErrorCode",
    "EventOptions",
    "EventStream",
    "FinishEvent",
    "GenerateOptions",
    "Generation",
    "GenerationStats",
    "MemoryUse",
    "MlxProvider",
    "ModelConfig",
    "Provider",
    "ProviderErrorInfo",
    "ProviderRegistry",
    "ProviderType",
    "ReasoningEvent",
    "ResponseEvent",
    "SamplingParams",
    "StreamHandler",
    "TextEvent",
    "TokenUsage",
    "ToolCall",
    "ToolCallEvent",
    "ToolDefinition",
    "__version__",
    "availability",
    "compaction_threshold",
    "memory_use",
    "mlx_provider_create",
    "set_memory_limit",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
