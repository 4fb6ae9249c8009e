"""The native core: models, requests and the worker that answers them."""

from collections.abc import Sequence
from typing import Annotated, Any


MLX_VERSION: str = '0.32.4'

def mlx_version() -> str:
    """The version of the libmlx that this process loaded."""

def backend() -> str:
    """Where MLX computes: 'metal', 'cuda' or 'cpu'."""

def prefill_chunk(experts: bool) -> int:
    """
    Tokens of a prompt that are best run at once there, by a model with experts or without.
    """

def memory() -> tuple[int, int, int, int, int, int]:
    """
    Bytes that MLX holds and may hold: (active, peak, cached, limit, weights, mapped).
    """

def set_memory_limit(bytes: int | None) -> None:
    """
    Bounds weights and MLX's arrays together; None: MLX's own limit, on arrays alone.
    """

def queue_stats() -> tuple[int, int, int]:
    """
    Requests that wait and that run, and the bytes of KV cache that the latter reserve: (waiting, running, reserved).
    """

def give_back_free_memory() -> None:
    """Gives pages of freed memory that malloc holds back to the system."""

def gpu() -> dict[str, str | int]:
    """
    What MLX says of the GPU it computes on, by MLX's own names; empty on a CPU.
    """

def gpu_kernels() -> str:
    """
    'used' where kernels of our own draw tokens on the GPU, else why they do not.
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
    def norm_eps(self) -> float: ...

    @property
    def post_norm_eps(self) -> float: ...

    @property
    def attention_scale(self) -> float:
        """What q · k is multiplied with."""

    @property
    def attention_softcap(self) -> float:
        """0: none."""

    @property
    def logits_softcap(self) -> float:
        """0: none."""

    @property
    def logits_divisor(self) -> float: ...

    @property
    def embedding_multiplier(self) -> float: ...

    @property
    def residual_multiplier(self) -> float: ...

    @property
    def activation(self) -> str: ...

    @property
    def tied(self) -> bool | None:
        """
        Whether the embedding is the head; None where the file of weights tells.
        """

    @property
    def experts(self) -> int:
        """
        Of a sparse layer, without what every token goes through; 0: no layer is sparse.
        """

    @property
    def experts_per_token(self) -> int: ...

    @property
    def expert_width(self) -> int:
        """The intermediate size of each expert."""

    @property
    def expert_bits(self) -> float:
        """
        Of an expert's weight, scales and biases included: what the quantization block says in general, which is of them where it is of anything; 0: it says nothing.
        """

    @property
    def expert_parameters(self) -> int:
        """Of the matrices of one expert."""

    @property
    def expert_latent(self) -> int:
        """
        Numbers that an expert is given and makes; 0: as many as the hidden state has.
        """

    @property
    def feed_forward_matrices(self) -> int:
        """
        Of a dense feed-forward, and of what every token goes through beside experts.
        """

    @property
    def shared_expert_width(self) -> int:
        """
        The intermediate size of what every token goes through in a sparse layer.
        """

    @property
    def sparse_layers(self) -> int:
        """How many layers have experts."""

    @property
    def windows(self) -> list[int]:
        """For each layer the tokens that a query sees; 0 where that is all."""

    @property
    def rotary_of_layers(self) -> list[int]:
        """For each layer the index of its rotary table; -1 where it has none."""

    @property
    def kv_numbers_of_layers(self) -> list[int]:
        """
        For each layer the numbers that its KV cache has of a token; 0 where it shares another layer's or has no attention.
        """

    @property
    def state_numbers(self) -> int:
        """
        Of the states of all layers' recurrences, float32, however long a sequence is.
        """

    @property
    def mixer_parameters(self) -> int:
        """Of the matrices of all layers' attention and recurrences."""

    @property
    def widths_of_layers(self) -> list[tuple[int, int, int]]:
        """
        For each layer the numbers of a token's queries and of what its recurrence makes of it, of its keys and of its feed-forward.
        """

    @property
    def per_layer_size(self) -> int:
        """
        Numbers that each layer gets of a token beside the hidden state; 0: none.
        """

    def rotary(self, index: int, length: int) -> tuple[list[float], float]:
        """
        A rotary table as it is for a sequence of `length` positions: (positions in which each pair rotates by one radian, what cosines and sines are multiplied with).
        """

def geometry(config: bytes) -> Geometry:
    """Reads a config.json's bytes."""

def check_config(config: bytes) -> None:
    """
    Raises where a model with these bytes as its config.json, its format of weights included, cannot run.
    """

def check_fit(config: bytes, tensors: Sequence[tuple[str, str, Sequence[int]]]) -> None:
    """
    Raises where a model of these tensors, (name, dtype, shape) each, with these bytes as its config.json, would not load.
    """

def folder_geometry(folder: bytes) -> Geometry:
    """Reads the config.json of a folder (its path by os.fsencode)."""

def idle_bytes(folder: bytes) -> int:
    """
    Of the weights in a folder (its path by os.fsencode), the bytes that making a token does not read: experts that it does not go to, rows of tables for each layer. Reads headers alone.
    """

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
        """
        Bytes of the mapped files that are in memory now, whichever process read them.
        """

    @property
    def kv_bytes_per_token(self) -> int:
        """
        What a token adds to the KV cache, in bytes, in the layers that keep every token.
        """

    @property
    def state_bytes(self) -> int:
        """Of the states of a sequence's recurrences, however long it is."""

    @property
    def prefill_chunk(self) -> int:
        """Tokens of a prompt that are best run at once."""

    @property
    def step_weight_bytes(self) -> int:
        """
        Bytes of the weights that making a token reads: of an embedding that is not the head too, one row.
        """

    def step_primitives(self) -> int:
        """MLX primitives in the graph of one decode step."""

    @property
    def prefix_cache_stats(self) -> tuple[int, int, int, int]:
        """
        What the prefix cache holds of finished requests: (sequences, bytes, snapshots, bytes of these), the bytes with those of the model that drafts.
        """

    @property
    def drafts_always(self) -> bool:
        """
        Whether the model that drafts does so in each pass, whatever that costs: for tests and measurements.
        """

    @drafts_always.setter
    def drafts_always(self, arg: bool, /) -> None: ...

    @property
    def pass_bytes(self) -> int:
        """
        Bytes that a pass takes beside weights and KV caches; requests that wait leave them free.
        """

    @pass_bytes.setter
    def pass_bytes(self, arg: int, /) -> None: ...

    @property
    def prefill_pause(self) -> float | None:
        """
        Seconds by which rows of a prompt may lengthen the passes of those that decode; None: no bound of time.
        """

    @prefill_pause.setter
    def prefill_pause(self, seconds: float | None) -> None: ...

    def logits(self, tokens: Sequence[int], chunk: int = 512) -> Annotated[Any, dict(dtype='float32', shape=(None, None), order='C')]:
        """
        Logits at every token, (len(tokens), vocab_size) float32, by forwards of `chunk` tokens each.
        """

    def logits_together(self, sequences: Sequence[Sequence[int]], chunks: Sequence[int]) -> list[Annotated[Any, dict(dtype='float32', shape=(None, None), order='C')]]:
        """
        The logits of several sequences that share each pass, sequence i with chunks[i] tokens of its own in each: a list of what logits() gives.
        """

    def token_logprobs(self, tokens: Sequence[int], chunk: int = 64) -> list[float]:
        """
        For each token after the first the log of its probability after those before it, by forwards of `chunk` tokens each.
        """

    def submit(self, request: Request) -> None:
        """Queues a request; what is wrong with it raises here, before any work."""

def keeps_half_cache() -> bool:
    """Whether keys and values are float16 whatever the model's dtype."""

def load(folder: bytes, prefix_cache_bytes: int | None = None, geometry: Geometry | None = None, draft: bytes | None = None, draft_geometry: Geometry | None = None) -> Model:
    """
    Maps the model in `folder` (its path by os.fsencode): its safetensors files, and config.json where `geometry` does not give what it says. Reads no matrix. The prefix cache holds `prefix_cache_bytes` at most; None: an eighth of MLX's memory limit. The model in the folder `draft`, of the same vocabulary, drafts for it.
    """

class Notifier:
    """Tells one thread which of many requests have news."""

    def __init__(self) -> None: ...

    def wait(self, timeout: float | None = None) -> list[int]:
        """
        The ids that were posted since the last call; waits for the first, at most `timeout` seconds. Empty once closed, or where none came.
        """

    def close(self) -> None:
        """Ends every wait()."""

class Constraint:
    """What an answer may be, token by token."""

class GrammarConstraint(Constraint):
    """
    Holds one answer to a grammar; a Constraint of Python as well. Made by Grammars.
    """

    def __call__(self, accepted: Sequence[int]) -> object: ...

    def allows(self, tokens: Sequence[int]) -> bool:
        """Whether these may follow, all of them."""

    def wait(self, timeout: float) -> bool:
        """
        Waits until the grammar is compiled, at most `timeout` seconds; whether it is. Raises where it is refused.
        """

class HostConstraint(Constraint):
    """A constraint that a thread of Python answers: take(), then answer()."""

    def __init__(self) -> None: ...

    def take(self) -> list[int] | None:
        """Waits for the tokens of the next question; None at the end."""

    def answer(self, callable: object, accepted: object, vocab_size: int) -> None:
        """Replies with what the callable returns for these tokens."""

class Grammars:
    """The grammars of one vocabulary, compiled on threads of their own."""

    def __init__(self, library: str, tokens: Sequence[bytes], special: Sequence[int], encode: object) -> None:
        """
        `library`: the path of llguidance's. `tokens`: the bytes of each id. `special`: ids that no text spells. `encode`: the tokens of a text that follows others.
        """

    def prepare(self) -> None:
        """Makes llguidance's table now."""

    def constraint(self, grammar: str, vocab_size: int, stop_tokens: Sequence[int]) -> GrammarConstraint:
        """
        What holds one answer to a grammar, given as llguidance's JSON; it begins to be compiled unless it is.
        """

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
        """
        Why no more tokens were cached; empty where all of the prompt, or all that is cached of it, was.
        """

    @property
    def prefix_missed_at(self) -> int: ...

    @property
    def output_tokens(self) -> int: ...

    @property
    def forced_tokens(self) -> int: ...

    @property
    def drafted_tokens(self) -> int: ...

    @property
    def accepted_tokens(self) -> int: ...

    @property
    def drafting(self) -> float: ...

    @property
    def saved(self) -> float: ...

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

    def __init__(self, prompt: Sequence[int], *, max_tokens: int, stop_tokens: Sequence[int], timeout: float | None, prefill_chunk: int, temperature: float, top_k: int, top_p: float, min_p: float, repetition_penalty: float, presence_penalty: float, frequency_penalty: float, logit_bias: Sequence[tuple[int, float]], seed: int, logprobs: int | None, constraint: Constraint | None = None, known_tokens: int | None = None, priority: int = 1, speculate: bool = True, open_ended: bool = False, elapsed: float = 0.0) -> None: ...

    def check(self) -> None:
        """Raises where the request is over: cancelled, or too late."""

    def next(self, timeout: float | None = None) -> News:
        """Waits for news, at most `timeout` seconds."""

    def cancel(self) -> None:
        """Ends the request soon, inside prefill too."""

    def notify(self, notifier: Notifier, id: int) -> None:
        """Posts `id` at each piece of news from now on."""

def weight_files(folder: bytes) -> list[str]:
    """
    The names of the files in `folder` (its path by os.fsencode) that hold the model's weights, sorted: what load() maps. Raises ModelNotFoundError, ModelCorruptError or LoadError.
    """

def choose_weight_files(names: set[str], index: bytes | None, where: str) -> list[str]:
    """
    The same choice among all `names` of a repository, with the bytes of its model.safetensors.index.json, where it has one. `where` is how errors call it.
    """

class Conversion:
    """A folder's checkpoint, read a part at a time. Made by conversion()."""

    @property
    def layers(self) -> int:
        """Number of decoder layers."""

    @property
    def tensors(self) -> list[tuple[str, str, list[int], int]]:
        """
        What the model reads of the checkpoint: (name, dtype, shape as the model has it, bytes).
        """

    @property
    def matrices(self) -> list[tuple[str, int, int, str | None, int, int]]:
        """
        Its weight matrices: (module, rows, columns, mode, bits, group size); mode is None where it is not quantized.
        """

    @property
    def interleaved(self) -> list[str]:
        """The tensors in which rows of gate and up projections take turns."""

    def cast(self, name: str, first: int, count: int, dtype: str) -> bytes:
        """
        Numbers [first, first + count) of a float tensor, in another float dtype; whole rows of a matrix that is stored transposed.
        """

    def quantize(self, name: str, first: int, count: int, dtype: str, mode: str, bits: int, group_size: int) -> tuple[bytes, bytes, bytes]:
        """
        Rows [first, first + count) of a float matrix by mx::quantize: (weight, scales, biases), the last empty where the mode has none.
        """

    def check_files(self) -> None:
        """Raises ModelCorruptError where a file was cut off since it was opened."""

def conversion(folder: bytes) -> Conversion:
    """
    Opens the model in `folder` (its path by os.fsencode) to convert it; reads headers alone.
    """

def checkpoint_tensors(folder: bytes) -> list[tuple[str, str, list[int], int]]:
    """
    The tensors in a folder's safetensors files, by name, whatever model they are of: (name, dtype, shape, bytes).
    """

def quantization_formats() -> list[tuple[str, list[int], list[int], int, int]]:
    """
    The formats of quantized matrices: (mode, bits, group sizes, default bits, default group size).
    """

class GgufFile:
    """A mapped GGUF file of which the head was read."""

    def __init__(self, path: bytes) -> None:
        """
        Its path by os.fsencode. Raises ModelNotFoundError, LoadError, ModelCorruptError or UnsupportedModelError for all that is wrong with it.
        """

    @property
    def version(self) -> int: ...

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def metadata(self) -> dict[str, object]:
        """
        Its keys and values: int, float, bool, str, lists of these; bytes where a string is not UTF-8.
        """

    def tensors(self) -> list[tuple[str, str, list[int], int]]:
        """Of each its name, kind, shape (outermost first) and bytes."""

    def needs_single(self, index: int) -> bool:
        """
        Whether the scales of a tensor need float32. Reads it; raises ModelCorruptError where one is no finite number.
        """

    def rows(self, index: int, begin: int, end: int, heads: int, single: bool) -> tuple[bytes, bytes, bytes]:
        """
        Weight, scales and biases of the rows [begin, end) of a tensor as safetensors files have them, scales as float32 where `single`; blocks as they are of what is not decoded here. With `heads`, the interleaved rotary halves of so many heads are put apart.
        """

def gguf_kinds() -> list[tuple[str, int, int, str, str, int, int, bool]]:
    """
    Of each kind of tensor: name, items and bytes of a block, conversion ('copied', 'exact', 'requantized' or ''), the mode, bits and group size that it becomes, and whether it is decoded here.
    """

def gguf_requantize(kind: str, values: bytes, single: bool) -> tuple[bytes, bytes, bytes]:
    """
    Weight, scales and biases of float32 numbers, whole groups, in what a kind becomes.
    """
