"""Which engines can be compared here."""

from __future__ import annotations

from importlib import metadata


def device() -> str:
    """Where MLX computes on this machine: cpu, metal or cuda."""
    from convergio_mlx.platform.native import native

    return str(native().backend())


def missing(where: str) -> dict[str, str]:
    """The engines that cannot take part where MLX computes on `where`, and why."""
    found = {}
    for engine, package in {"llama_cpp": "llama-cpp-python", "mlx_lm": "mlx-lm"}.items():
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            found[engine] = f"{package} is not installed; pip install -r bench/requirements.txt."
    if "llama_cpp" not in found and where != "cpu":
        import llama_cpp

        if not llama_cpp.llama_supports_gpu_offload():
            found["llama_cpp"] = (
                "it is built without a GPU; build it again, with CMAKE_ARGS=-DGGML_CUDA=on for an "
                "NVIDIA one."
            )
    return found
