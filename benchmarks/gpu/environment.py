"""Write what a timing depends on: python environment.py FILE."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kantor.backends import available

PACKAGES = ("numpy", "scipy", "cupy-cuda12x", "cupy-cuda13x", "jax", "torch", "pybind11")


def said(*command: str) -> str:
    """What a command prints, or why there is nothing."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not here"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def environment() -> dict[str, Any]:
    """Device, driver, toolkit, packages, commit."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    query = "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,clocks.max.sm,compute_mode"
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": said("nvidia-smi", query, "--format=csv"),
        "nvcc": said("nvcc", "--version").splitlines()[-1],
        "python": sys.version,
        "processor": platform.processor() or platform.machine(),
        "packages": versions,
        "backends": available(),
        "commit": said("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
    }


if __name__ == "__main__":
    found = environment()
    Path(sys.argv[1]).write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
