"""The native core: models, requests and the worker that answers them."""

from collections.abc import Sequence
from typing import Annotated, Any


MLX_VERSION: str = '0.32.4'

def mlx_version() -> str:
    """The version of the libmlx that this process loaded."""

def backend() -> str:
    """Where MLX computes: 'metal', 'cuda' or 'cpu'."""

def memory() -> tuple[int, int, int, int, int]:
    """
    Bytes that MLX holds and may hold: (active, peak, cached, limit, weights).
    """

def set_memory_limit(bytes: int | None) -> None:
    """
    Bounds weights and MLX's arrays together; None: MLX's own limit, on arrays alone.
    """

def give_back_free_memory() -> None:
    """Gives pages of freed memory that malloc holds back to the system."""

def gpu() -> dict[str, str | int]:
    """
    What MLX says of the GPU it computes on, by MLX's own names; empty on a CPU.
    """

def usable_cores() -> int:
    """
    The cores this process may use, by affinity and cgroup quota; on Apple silicon the performance cores.
    """

def read_bandwidth(bytes: int, seconds: float = 0.5) -> float:
    """
    Bytes a second at which `bytes` bytes of memory can be read here, where MLX computes; measured for about `seconds` seconds.
    """

def isas() -> list[str]:
    """The CPU kernel sets this machine can run, slowest first."""

def active_isa() -> str:
    """The CPU kernel set in use; 'off' for MLX's own ops."""

def model_types() -> list[str]:
    """The model types of config.json that the engine runs."""

def shutdown() -> None:
    """
    For the end of the program: ends the worker; requests that wait or run fail. Other threads that come back from this module afterwards are held for good.
    """

class Geometry:
    """The sizes that a config.json gives. Made by geometry()."""

    @property
    def model_type(self) -> str: ...

    @property
    def context_window(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def hidden_size(self) -> int: ...

    @property
    def intermediate_size(self) -> int: ...

    @property
    def heads(self) -> int: ...

    @property
    def kv_heads(self) -> int: ...

    @property
    def head_dim(self) -> int: ...

    @property
    def vocab_size(self) -> int: ...

    @property
    def windows(self) -> list[int]:
        """For each layer the tokens that a query sees; 0 where that is all."""

def geometry(config: bytes) -> Geometry:
    """Reads a config.json's bytes."""

class Model:
    """A loaded model. Made by load(); used from any thread."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def context_window(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def model_type(self) -> str:
        """The row of the table of architectures that runs it."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors in the files."""

    @property
    def resident_weight_bytes(self) -> int:
        """Bytes of the mapped files that are in memory now, whoever read them."""

    @property
    def kv_bytes_per_token(self) -> int:
        """
        What a token adds to the KV cache, in bytes, in the layers that keep every token.
        """

    @property
    def step_weight_bytes(self) -> int:
        """
        Bytes of the weights that making a token reads: of an embedding that is not the head too, one row.
        """

    def step_primitives(self) -> int:
        """MLX primitives in the graph of one decode step."""

    @property
    def kept(self) -> tuple[int, int]:
        """
        Of finished requests, for those that go on from them: (KV caches, their bytes).
        """

    def logits(self, tokens: Sequence[int], chunk: int = 512) -> Annotated[Any, dict(dtype='float32', shape=(None, None), order='C')]:
        """
        Logits at every token, (len(tokens), vocab_size) float32, by forwards of `chunk` tokens each.
        """

    def submit(self, request: Request) -> None:
        """Queues a request; what is wrong with it raises here, before any work."""

def keeps_half_cache() -> bool:
    """Whether keys and values are float16 whatever the model's dtype."""

def load(folder: bytes, kept_bytes: int | None = None) -> Model:
    """
    Maps the model in `folder` (its path by os.fsencode): config.json and its safetensors files. Reads no matrix. Of finished requests' KV caches `kept_bytes` at most are kept; None: an eighth of MLX's memory limit.
    """

class Notifier:
    """Tells one thread which of many requests have news."""

    def __init__(self) -> None: ...

    def wait(self) -> list[int]:
        """
        The ids that were posted since the last call; waits for the first. Empty once closed.
        """

    def close(self) -> None:
        """Ends every wait()."""

class RequestStats:
    """Seconds spent and what was handled, so far."""

    @property
    def queued(self) -> float: ...

    @property
    def prefill(self) -> float: ...

    @property
    def decode(self) -> float: ...

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def cached_tokens(self) -> int: ...

    @property
    def prefix_miss(self) -> str:
        """Why no more tokens were cached; empty where all that were kept are."""

    @property
    def prefix_missed_at(self) -> int: ...

    @property
    def output_tokens(self) -> int: ...

    @property
    def forced_tokens(self) -> int: ...

    @property
    def mask(self) -> float: ...

    @property
    def mask_wait(self) -> float: ...

    @property
    def kv_bytes(self) -> int: ...

class News:
    """What was decided since the last Request.next()."""

    @property
    def tokens(self) -> list[int]: ...

    @property
    def logprobs(self) -> list[tuple[float, list[tuple[int, float]]] | None]: ...

    @property
    def finish(self) -> str | None: ...

    def raise_error(self) -> None:
        """Raises what ended the request, where it failed."""

    @property
    def stats(self) -> RequestStats: ...

class Request:
    """A prompt and how to answer it; used from any thread."""

    def __init__(self, prompt: Sequence[int], *, max_tokens: int, stop_tokens: Sequence[int], timeout: float | None, prefill_chunk: int, temperature: float, top_k: int, top_p: float, min_p: float, repetition_penalty: float, presence_penalty: float, frequency_penalty: float, logit_bias: Sequence[tuple[int, float]], seed: int, logprobs: int | None, constraint: object | None = None) -> None: ...

    def next(self, timeout: float | None = None) -> News:
        """Waits for news, at most `timeout` seconds."""

    def cancel(self) -> None:
        """Ends the request soon, inside prefill too."""

    def notify(self, notifier: Notifier, id: int) -> None:
        """Posts `id` at each piece of news from now on."""
