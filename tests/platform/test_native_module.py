"""The native module: when it is imported, which MLX it takes, and what availability() says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from programs import output

import convergio_mlx as cm

HEAVY = """mlx mlx.core numpy transformers torch huggingface_hub jinja2 tokenizers rich typer
safetensors asyncio convergio_mlx._native"""
FAKE = """
import sys, types
import convergio_mlx as cm
version = types.ModuleType("convergio_mlx._mlx_version")
version.MLX_VERSION = "9.8.7"
sys.modules["convergio_mlx._mlx_version"] = version
"""


def test_importing_the_package_is_light() -> None:
    code = f"print([name for name in {HEAVY.split()!r} if name in sys.modules])"
    assert output(code) == "[]\n"


LATER = """asyncio ssl logging subprocess secrets convergio_mlx.registry.entry
convergio_mlx.chats.planning convergio_mlx.structured.schema"""
"""What some requests need and others do not."""


def test_an_engine_imports_what_every_request_needs() -> None:
    code = "from convergio_mlx import Engine\n"
    code += f"print([name for name in {LATER.split()!r} if name in sys.modules])"
    assert output(code) == "[]\n"


def test_public_names_are_there_and_no_others() -> None:
    assert set(dir(cm)) == set(cm.__all__)
    for name in cm.__all__:
        assert getattr(cm, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = cm.nope  # type: ignore[attr-defined]


def test_another_mlx_is_refused_with_both_versions() -> None:
    from convergio_mlx.platform.native import native

    found = native().mlx_version()
    code = (
        FAKE
        + """
    try:
        cm.Engine.load("convergio-guide")
    except cm.ConvergioError as error:
        print(type(error).__name__, error.hint, error, sep="|")
    print(cm.availability())
    """.replace("\n    ", "\n")
    )
    sentence = (
        "[native] convergio-mlx was built with mlx 9.8.7 and needs just that, but this "
        f"environment has mlx {found}; run `pip install mlx==9.8.7`."
    )
    refused, availability = output(code).splitlines()
    assert refused == f"VersionMismatchError|pip install mlx==9.8.7|{sentence}"
    assert availability == (
        f"Availability(status='unavailable', backend=None, reasons=({sentence!r},))"
    )


@pytest.mark.parametrize(
    ("installed", "sentence"),
    [
        (
            {"mlx": "0.1.0", "mlx-cpu": "0.1.0"},
            "[native] convergio-mlx was built with mlx {needed} and needs just that, but this "
            "environment has mlx 0.1.0; run `pip install mlx=={needed}`.",
        ),
        (
            {},
            "[native] MLX {needed} is not installed; run `pip install convergio-mlx` again.",
        ),
        (
            {"mlx": "{needed}", "mlx-cpu": "{needed}"},
            "[native] the native module cannot be loaded here (no such symbol); reinstall "
            "convergio-mlx on this machine.",
        ),
    ],
)
def test_why_the_module_cannot_be_imported(installed: dict[str, str], sentence: str) -> None:
    from convergio_mlx._mlx_version import MLX_VERSION as NEEDED

    code = f"""
    from importlib import metadata
    installed = {{k: v.format(needed={NEEDED!r}) for k, v in {installed!r}.items()}}
    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]
    metadata.version = version
    class Refuse:
        def find_spec(self, name, *_):
            if name == "convergio_mlx._native":
                raise ImportError("no such symbol")
    sys.meta_path.insert(0, Refuse())
    print(*cm.availability().reasons)
    """
    assert output(code) == sentence.format(needed=NEEDED) + "\n"


def test_a_package_without_its_native_part() -> None:
    code = """
    sys.modules["convergio_mlx._mlx_version"] = None
    print(*cm.availability().reasons)
    """
    assert output(code) == (
        "[native] this is convergio-mlx without its native module; install the package with "
        "`pip install convergio-mlx`, or `pip install .` in its source folder.\n"
    )


def test_an_intel_mac_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert cm.availability() == cm.Availability(
        "unavailable",
        None,
        ("[availability] MLX needs Apple silicon, and this Mac has an Intel processor.",),
    )
    assert not cm.availability()


def test_this_machine() -> None:
    here = cm.availability()
    assert here
    assert here.status == ("degraded" if here.backend == "cpu" else "available")
    assert bool(here.reasons) == (here.backend == "cpu")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "CONVERGIO_MLX_DEVICE",
            "tpu",
            "[engine] CONVERGIO_MLX_DEVICE is 'tpu', but this machine has: ",
        ),
        (
            "CONVERGIO_MLX_MAPPING_GUARD",
            "yes",
            "[engine] CONVERGIO_MLX_MAPPING_GUARD is 'yes', which must be 0 or 1.",
        ),
        (
            "CONVERGIO_MLX_GPU_KERNELS",
            "fused",
            "[engine] CONVERGIO_MLX_GPU_KERNELS is 'fused', which must be 0 or 1.",
        ),
        (
            "CONVERGIO_MLX_MAP_WEIGHTS",
            "no",
            "[weights] CONVERGIO_MLX_MAP_WEIGHTS is 'no', which must be 0 or 1.",
        ),
        (
            "CONVERGIO_MLX_DTYPE",
            "int8",
            "[precision] CONVERGIO_MLX_DTYPE is 'int8', but must be float32, float16 or bfloat16.",
        ),
        (
            "CONVERGIO_MLX_METALLIB",
            "/nowhere/mlx.metallib",
            "[engine] CONVERGIO_MLX_METALLIB is '/nowhere/mlx.metallib', which is no file; ",
        ),
        ("CONVERGIO_MLX_ISA", "mmx", "[isa] CONVERGIO_MLX_ISA is 'mmx' but this machine runs: "),
    ],
)
def test_an_environment_that_asks_for_what_is_not_there(
    name: str, value: str, sentence: str
) -> None:
    code = """
    print(*cm.availability().reasons)
    try:
        cm.Engine.load("convergio-guide")
    except cm.ConvergioError as error:
        print(error)
    """
    first, second = output(code, environment={name: value}).splitlines()
    assert first == second
    assert first.startswith(sentence)
    assert first.endswith(".")


def test_a_number_of_threads_that_cannot_be_is_an_invalid_request() -> None:
    code = """
    try:
        with cm.Engine.load("convergio-guide") as engine:
            engine.generate("x", cm.SamplingParams(max_tokens=1)).text()
    except cm.ConvergioError as error:
        print(error.code, error)
    """
    assert output(code, environment={"CONVERGIO_MLX_THREADS": "0"}) == (
        "invalid_request [threads] CONVERGIO_MLX_THREADS is '0' but must be a whole number from 1 "
        "to 1024.\n"
    )


def test_the_device_can_be_chosen() -> None:
    code = "print(cm.availability().backend)"
    assert output(code, environment={"CONVERGIO_MLX_DEVICE": "cpu"}) == "cpu\n"
