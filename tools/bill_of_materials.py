"""Writes a bill of materials (CycloneDX JSON) of this machine's wheel and all that it installs.

    python tools/bill_of_materials.py dist

needs cyclonedx-bom. What pip installs beside the wheel it reads off an environment that holds
nothing else; what the extension contains of others is known here alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NAME = "convergio-mlx"
CONTAINED: list[dict[str, Any]] = [
    {
        "type": "library",
        "bom-ref": "nanobind==3.1.0",
        "name": "nanobind",
        "version": "3.1.0",
        "purl": "pkg:pypi/nanobind@3.1.0",
        "licenses": [{"license": {"id": "BSD-3-Clause"}}],
    },
    {
        "type": "library",
        "bom-ref": "robin-map",
        "name": "robin-map",
        "description": "the copy that nanobind comes with",
        "licenses": [{"license": {"id": "MIT"}}],
    },
]
"""What is linked into the extension (licenses/)."""


def bill(dist: Path, interpreter: str) -> dict[str, Any]:
    """The bill of materials of the wheel in `dist` that fits this machine and an interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True)
        python = Path(folder) / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python)]
        subprocess.run([*pip, "install", "--find-links", str(dist), NAME], check=True)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
        done = subprocess.run([*command, str(python)], check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    for component in found["components"]:
        if component["name"] == NAME:
            component["components"] = CONTAINED
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dist", type=Path, help="the wheel's folder, where the bill goes too")
    parser.add_argument("--python", default=sys.executable, help="what the wheel is for (this one)")
    arguments = parser.parse_args()
    target = arguments.dist / "sbom.cdx.json"
    target.write_text(json.dumps(bill(arguments.dist, arguments.python), indent=2) + "\n")
    print(target)


if __name__ == "__main__":
    main()
