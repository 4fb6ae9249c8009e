"""What each tensor of a GGUF file becomes, config.json, and all that keeps it from becoming so."""

from __future__ import annotations

import array
import json
import math
import struct
import sys
from collections import Counter
from collections.abc import Callable
from importlib import util
from typing import Any

from convergio_mlx.convert.architectures import ARCHITECTURES
from convergio_mlx.convert.gguf_architecture import IGNORED, NUMBERS, Architecture, Place, places_of
from convergio_mlx.convert.gguf_config import model_config
from convergio_mlx.convert.gguf_keys import Keys
from convergio_mlx.convert.gguf_output import Output, Part, misfits
from convergio_mlx.convert.gguf_rows import columns_of, rows_of
from convergio_mlx.convert.gguf_source import GgufSource, GgufTensor
from convergio_mlx.convert.gguf_tokenizer import tokenizer_refusals
from convergio_mlx.convert.shards import Tensor
from convergio_mlx.errors import ConvergioError, UnsupportedModelError
from convergio_mlx.platform.native import native

_LISTED = 5
"""Names that a refusal gives."""
_MOST_FACTORS = 1 << 16
_MISFIT = "the checkpoint does not fit its config.json: "
"""How the engine begins to say so."""


class GgufPlan:
    """What a model in GGUF files becomes. Nothing of its tensors is read."""

    def __init__(self, source: GgufSource) -> None:
        """Of files that are open."""
        self.source = source
        name = source.metadata.get("general.architecture")
        self.architecture_name = name if isinstance(name, str) else ""
        self._keys = Keys(source.metadata, self.architecture_name)
        row = ARCHITECTURES.get(self.architecture_name)
        bases = {tensor.name.split(".")[-2] for tensor in source.tensors if "." in tensor.name}
        self._architecture = (
            row.of(lambda key: key in bases or self._keys.get(key)) if row is not None else None
        )
        self.refusals: list[str] = []
        """Why it does not convert, a clause each."""
        self.config = self._configured()
        """config.json, without what the tokenizer and the weights tell."""
        self.outputs, unknown = self._planned()
        """In the files' order."""
        self.constants = self._constants()
        """Tensors that come from keys, and their bytes."""
        if not self.refusals:
            self._refuse_misfits()
        self._refuse_tensors(unknown, f"that no {self.architecture_name} model has")
        self.refusals += tokenizer_refusals(source.metadata)

    @property
    def most_bytes(self) -> int:
        """Of the weights."""
        return sum(output.most_bytes for output in self.outputs) + sum(
            tensor.size for tensor, _ in self.constants
        )

    @property
    def tensor_bytes(self) -> int:
        """Of the files that are converted: what progress counts to."""
        return sum(output.size for output in self.outputs)

    @property
    def quantization(self) -> dict[str, Any]:
        """The block of config.json: what most matrices are, and those that are something else."""
        modules = {one.place.module: one.kind.block for one in self.outputs if one.kind.mode}
        if not modules:
            return {}
        texts = Counter(json.dumps(block) for block in modules.values())
        general = json.loads(texts.most_common(1)[0][0])
        others = {name: block for name, block in modules.items() if block != general}
        return {"quantization": {**general, **others}}

    def check(self) -> None:
        """Refuses what does not convert.

        Raises:
            UnsupportedModelError: all reasons in one.
        """
        if self.refusals:
            raise UnsupportedModelError(
                f"[gguf] {self.source.name} cannot be converted: {'; '.join(self.refusals)}; take "
                "another file of the model, or a checkpoint of safetensors files."
            )

    def _configured(self) -> dict[str, Any]:
        if self._architecture is None:
            self.refusals.append(
                f"its architecture is {ascii(self.architecture_name)[:60]}, and those that convert "
                f"are {', '.join(ARCHITECTURES)}"
            )
            return {}
        keys = self._keys
        by_name = {tensor.name: tensor for tensor in self.source.tensors}
        if "token_embd.weight" not in by_name:
            self.refusals.append("it has no tensor 'token_embd.weight'")

        def factors(name: str) -> list[float]:
            tensor = by_name.get(name)
            if tensor is None:
                return []
            if tensor.kind.name != "F32" or tensor.items > _MOST_FACTORS:
                keys.faults.append(f"tensor {name!r} is no list of F32 factors")
                return []
            return list(floats(tensor.read()))

        shapes = {name: tensor.shape for name, tensor in by_name.items()}
        config = model_config(keys, self._architecture, shapes, factors)
        faults = list(dict.fromkeys(keys.faults))
        self.refusals += faults
        if not faults and (said := _said(lambda: native().geometry(json.dumps(config).encode()))):
            self.refusals.append(said)
        return config

    def _planned(self) -> tuple[list[Output], list[str]]:
        """What tensors become, and those that become nothing."""
        found: dict[str, list[tuple[Part, Place]]] = {}
        unknown: list[str] = []
        shapes: list[str] = []
        if (architecture := self._architecture) is None:
            return [], unknown
        for tensor in self.source.tensors:
            if tensor.name in IGNORED or self._is_of_draft(tensor.name):
                continue
            places = places_of(tensor.name, architecture)
            if not places:
                unknown.append(tensor.name)
            elif not _is_shaped(tensor, places[0]):
                shapes.append(tensor.name)
                continue
            for one in places:
                part = Part(tensor, rows_of(tensor, one, architecture, self.config))
                found.setdefault(one.tensor, []).append((part, one))
        order = {base: at for at, base in enumerate(architecture.tensors)}
        outputs = [
            self._output(sorted(parts, key=lambda one: order.get(one[1].base, 0)), architecture)
            for parts in found.values()
        ]
        self._refuse_tensors(shapes, "whose shapes are not those of matrices")
        self._refuse_kinds(outputs)
        return outputs, unknown

    def _constants(self) -> list[tuple[Tensor, bytes]]:
        if self._architecture is None:
            return []
        found = []
        layers = self.config["num_hidden_layers"]
        for module, (key, shape) in self._architecture.constants.items():
            values = self.source.metadata.get(key)
            listed = values if isinstance(values, list) else []
            numbers = [one for one in listed if type(one) is float and math.isfinite(one)]
            if not len(listed) == len(numbers) == layers:
                self.refusals.append(f"key {key!r} is no list of {layers} numbers")
                continue
            for layer, value in enumerate(numbers):
                tensor = Tensor(f"model.layers.{layer}.{module}", "F32", shape)
                found.append((tensor, struct.pack("<f", value)))
        return found

    def _output(self, found: list[tuple[Part, Place]], architecture: Architecture) -> Output:
        place, tensor = found[0][1], found[0][0].tensor
        heads = {
            "attn_q": self.config["num_attention_heads"],
            "attn_k": self.config["num_key_value_heads"],
        }.get(place.base, 0)
        if heads and tensor.rows % (2 * heads):
            self.refusals.append(f"tensor {tensor.name!r} has {tensor.rows} rows for {heads} heads")
        return Output(
            tuple(part for part, _ in found),
            place,
            heads if architecture.interleaved else 0,
            architecture.norms_have_one_added
            and place.base.endswith("norm")
            and place.part == "weight",
            columns_of(tensor, place, architecture, self.config),
        )

    def _is_of_draft(self, name: str) -> bool:
        """Whether a tensor is of a layer that drafts tokens."""
        layer = name.split(".")[1] if name.startswith("blk.") else ""
        if not self._keys.count("nextn_predict_layers") or not layer.isdecimal():
            return False
        return int(layer) >= int(self.config["num_hidden_layers"])

    def _refuse_misfits(self) -> None:
        """What the engine has against the folder, as it will be."""
        tensors = [tensor for one in self.outputs for tensor in one.tensors(single=True)]
        tensors += [tensor for tensor, _ in self.constants]
        config = json.dumps({**self.config, **self.quantization}).encode()
        described = [(one.name, one.dtype, one.shape) for one in tensors]
        if said := _said(lambda: native().check_fit(config, described)):
            self.refusals.append(f"its tensors do not fit its keys: {said.removeprefix(_MISFIT)}")

    def _refuse_tensors(self, names: list[str], why: str) -> None:
        if names:
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            self.refusals.append(f"it has tensors {why} ({', '.join(names[:_LISTED])}{more})")

    def _refuse_kinds(self, outputs: list[Output]) -> None:
        kinds = {output.kind.name: output.kind for output in outputs}
        counts = Counter(output.kind.name for output in outputs)
        for name, kind in sorted(kinds.items()):
            said = "1 tensor is" if counts[name] == 1 else f"{counts[name]} tensors are"
            if not kind.conversion:
                self.refusals.append(f"{said} of kind {name}")
            elif not kind.decoded and util.find_spec("gguf") is None:
                self.refusals.append(
                    f"{said} of kind {name}, for which `pip install 'convergio-mlx[gguf]'` is "
                    "needed"
                )
        for output in outputs:
            self.refusals += misfits(output, self.architecture_name)


def _is_shaped(tensor: GgufTensor, place: Place) -> bool:
    """Whether it has the dimensions of an expert's matrices, a matrix or a vector."""
    if place.is_stack:
        return len(tensor.shape) == 3 and tensor.shape[1] % place.share[1] == 0
    if len(tensor.shape) > 2:
        return place.base in NUMBERS  # whose axes of 1 differ
    return len(tensor.shape) == 2 or (len(tensor.shape) == 1 and not tensor.kind.mode)


def _said(look: Callable[[], object]) -> str:
    """What the engine has against what it looks at, as a clause; empty: nothing."""
    try:
        look()
    except ConvergioError as error:
        return str(error).partition("] ")[2].rpartition("; ")[0]
    return ""


def floats(data: bytes) -> array.array[float]:
    """Little-endian float32 numbers."""
    found = array.array("f")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found
