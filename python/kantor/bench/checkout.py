"""The suites beside peers: scripts of the checkout, run in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..errors import ProblemError


def script(suite: str) -> Path:
    """The script of a suite; ProblemError where kantor was installed without its checkout.

    >>> script("lp").name
    'lp.py'
    """
    path = Path(__file__).resolve().parents[3] / "benchmarks" / f"{suite}.py"
    if not path.is_file():
        raise ProblemError(
            f"suite: {suite!r} needs kantor's source tree, which is not beside this installation ({path} is missing): "
            "get the source, run pip install -e '.[bench]' in it, and call kantor bench from there"
        )
    return path


def run(suite: str, arguments: list[str]) -> int:
    """Run the suite with the options of its script; its exit code."""
    return subprocess.run([sys.executable, str(script(suite)), *arguments], check=False).returncode
