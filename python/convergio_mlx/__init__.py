"""Run language models inside your own program: offline, native, safe to call from any thread.

    import convergio_mlx as cm

    print(cm.chat("convergio-guide", "Which model fits in 8 GB?", max_tokens=100).text)

Importing this package is light: everything else is imported when it is first used.
"""

from __future__ import annotations

from convergio_mlx.lazy import lazy_names
from convergio_mlx.version import __version__

TYPE_CHECKING = False  # true for type checkers; importing `typing` would take longer than the rest
if TYPE_CHECKING:
    from convergio_mlx.chats.events import (
        FinishEvent,
        ReasoningEvent,
        StreamEvent,
        TextEvent,
        ToolCallEvent,
        ToolResultEvent,
    )
    from convergio_mlx.chats.request import ChatOptions
    from convergio_mlx.chats.response import ChatResponse, Timings, TokenUsage
    from convergio_mlx.chats.stream import AsyncEventStream, EventStream
    from convergio_mlx.chats.tools import ToolCall, ToolDefinition
    from convergio_mlx.engine.batch import ChatCompletion
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.engine.perplexity import Perplexity
    from convergio_mlx.engine.request import GenerateOptions, ManyOptions
    from convergio_mlx.errors import (
        AuthError,
        ConstraintError,
        ContentFilterError,
        ContextLengthError,
        ConvergioError,
        DeadlineExceededError,
        ErrorCode,
        GenerationCancelledError,
        InferenceError,
        InvalidRequestError,
        LoadError,
        ModelCorruptError,
        ModelInUseError,
        ModelNotFoundError,
        ModelNotInstalledError,
        NetworkError,
        NotInitializedError,
        OfflineError,
        OutOfMemoryError,
        OverloadedError,
        ProviderErrorInfo,
        QuotaError,
        RateLimitError,
        StorageError,
        TokenizerError,
        UnavailableError,
        UnsupportedModelError,
        VersionMismatchError,
    )
    from convergio_mlx.generation.async_batch import AsyncBatch
    from convergio_mlx.generation.batch import Batch, Completion
    from convergio_mlx.generation.generation import AsyncGeneration, Generation
    from convergio_mlx.generation.sampling import SamplingOptions, SamplingParams
    from convergio_mlx.generation.stats import Chunk, GenerationStats, TokenLogprob
    from convergio_mlx.platform.machine import Availability, availability
    from convergio_mlx.providers.compaction import Compaction, CompactionEvent
    from convergio_mlx.providers.compaction_threshold import compaction_threshold
    from convergio_mlx.providers.conversation import Conversation
    from convergio_mlx.providers.handler import StreamHandler
    from convergio_mlx.providers.interface import CostTier, ModelConfig, Provider, ProviderType
    from convergio_mlx.providers.mlx import MlxProvider, mlx_provider_create
    from convergio_mlx.providers.one_call import achat, astream, chat, stream
    from convergio_mlx.providers.provider_registry import ProviderRegistry
    from convergio_mlx.sizing.memory import MemoryUse, memory_use, set_memory_limit
    from convergio_mlx.structured.constraint import Constraint
    from convergio_mlx.text.frozen import freeze_support

_HOMES = {
    "AsyncBatch": "generation.async_batch",
    "AsyncEventStream": "chats.stream",
    "AsyncGeneration": "generation.generation",
    "AuthError": "errors",
    "Availability": "platform.machine",
    "Batch": "generation.batch",
    "ChatCompletion": "engine.batch",
    "ChatOptions": "chats.request",
    "ChatResponse": "chats.response",
    "Chunk": "generation.stats",
    "Compaction": "providers.compaction",
    "CompactionEvent": "providers.compaction",
    "Completion": "generation.batch",
    "Constraint": "structured.constraint",
    "ConstraintError": "errors",
    "ContentFilterError": "errors",
    "ContextLengthError": "errors",
    "ConvergioError": "errors",
    "Conversation": "providers.conversation",
    "CostTier": "providers.interface",
    "DeadlineExceededError": "errors",
    "Engine": "engine.engine",
    "ErrorCode": "errors",
    "EventStream": "chats.stream",
    "FinishEvent": "chats.events",
    "GenerateOptions": "engine.request",
    "Generation": "generation.generation",
    "GenerationCancelledError": "errors",
    "GenerationStats": "generation.stats",
    "InferenceError": "errors",
    "InvalidRequestError": "errors",
    "LoadError": "errors",
    "ManyOptions": "engine.request",
    "MemoryUse": "sizing.memory",
    "MlxProvider": "providers.mlx",
    "ModelConfig": "providers.interface",
    "ModelCorruptError": "errors",
    "ModelInUseError": "errors",
    "ModelNotFoundError": "errors",
    "ModelNotInstalledError": "errors",
    "NetworkError": "errors",
    "NotInitializedError": "errors",
    "OfflineError": "errors",
    "OutOfMemoryError": "errors",
    "OverloadedError": "errors",
    "Perplexity": "engine.perplexity",
    "Provider": "providers.interface",
    "ProviderErrorInfo": "errors",
    "ProviderRegistry": "providers.provider_registry",
    "ProviderType": "providers.interface",
    "QuotaError": "errors",
    "RateLimitError": "errors",
    "ReasoningEvent": "chats.events",
    "SamplingOptions": "generation.sampling",
    "SamplingParams": "generation.sampling",
    "StorageError": "errors",
    "StreamEvent": "chats.events",
    "StreamHandler": "providers.handler",
    "TextEvent": "chats.events",
    "Timings": "chats.response",
    "TokenLogprob": "generation.stats",
    "TokenUsage": "chats.response",
    "TokenizerError": "errors",
    "ToolCall": "chats.tools",
    "ToolCallEvent": "chats.events",
    "ToolDefinition": "chats.tools",
    "ToolResultEvent": "chats.events",
    "UnavailableError": "errors",
    "UnsupportedModelError": "errors",
    "VersionMismatchError": "errors",
    "achat": "providers.one_call",
    "astream": "providers.one_call",
    "availability": "platform.machine",
    "chat": "providers.one_call",
    "compaction_threshold": "providers.compaction_threshold",
    "freeze_support": "text.frozen",
    "memory_use": "sizing.memory",
    "mlx_provider_create": "providers.mlx",
    "set_memory_limit": "sizing.memory",
    "stream": "providers.one_call",
}

__all__ = [
    "AsyncBatch",
    "AsyncEventStream",
    "AsyncGeneration",
    "AuthError",
    "Availability",
    "Batch",
    "ChatCompletion",
    "ChatOptions",
    "ChatResponse",
    "Chunk",
    "Compaction",
    "CompactionEvent",
    "Completion",
    "Constraint",
    "ConstraintError",
    "ContentFilterError",
    "ContextLengthError",
    "ConvergioError",
    "Conversation",
    "CostTier",
    "DeadlineExceededError",
    "Engine",
    "ErrorCode",
    "EventStream",
    "FinishEvent",
    "GenerateOptions",
    "Generation",
    "GenerationCancelledError",
    "GenerationStats",
    "InferenceError",
    "InvalidRequestError",
    "LoadError",
    "ManyOptions",
    "MemoryUse",
    "MlxProvider",
    "ModelConfig",
    "ModelCorruptError",
    "ModelInUseError",
    "ModelNotFoundError",
    "ModelNotInstalledError",
    "NetworkError",
    "NotInitializedError",
    "OfflineError",
    "OutOfMemoryError",
    "OverloadedError",
    "Perplexity",
    "Provider",
    "ProviderErrorInfo",
    "ProviderRegistry",
    "ProviderType",
    "QuotaError",
    "RateLimitError",
    "ReasoningEvent",
    "SamplingOptions",
    "SamplingParams",
    "StorageError",
    "StreamEvent",
    "StreamHandler",
    "TextEvent",
    "Timings",
    "TokenLogprob",
    "TokenUsage",
    "TokenizerError",
    "ToolCall",
    "ToolCallEvent",
    "ToolDefinition",
    "ToolResultEvent",
    "UnavailableError",
    "UnsupportedModelError",
    "VersionMismatchError",
    "__version__",
    "achat",
    "astream",
    "availability",
    "chat",
    "compaction_threshold",
    "freeze_support",
    "memory_use",
    "mlx_provider_create",
    "set_memory_limit",
    "stream",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
