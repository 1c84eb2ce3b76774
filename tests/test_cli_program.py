"""The program as a process of its own: pure standard output, signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kantor", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_program_keeps_standard_output_pure(tmp_path: Path) -> None:
    result = run("plan", "eu_2006", "-o", tmp_path / "plan", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["status"] == "optimal"
    assert "\x1b" not in result.stdout + result.stderr
    assert run("verify", tmp_path / "plan").returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupt_writes_the_best_plan_and_exits_with_130(tmp_path: Path) -> None:
    """Ctrl-C during the solve: the best point so far is certified and written."""
    out = tmp_path / "plan"
    code = (
        "import os, signal, sys\n"
        "from kantor.solvers import pdhg\n"
        "report = pdhg.Pdhg._report\n"
        "def interrupt(self, residuals):\n"
        "    report(self, residuals)\n"
        "    if len(self.history) == 2: os.kill(os.getpid(), signal.SIGINT)\n"
        "pdhg.Pdhg._report = interrupt\n"
        "from kantor.cli import main\n"
        "main()\n"
    )
    arguments = ["plan", "eu_2006", "-o", str(out), "--json", "--method", "pdhg", "--tolerance", "1e-12"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 130, result.stderr
    facts = json.loads(result.stdout)
    assert facts["status"] == "interrupted"
    assert facts["lower_bound"] <= facts["upper_bound"]
    assert run("verify", out).returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("module", ["typer", "kantor.planning.folder", "scipy.sparse"])
def test_interrupt_while_loading_exits_with_130_and_one_line(tmp_path: Path, module: str) -> None:
    code = (
        "import os, signal, sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from kantor.cli import main\n"
        "main()\n"
    )
    arguments = ["plan", "eu_2006", "-o", str(tmp_path / "plan")]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 130, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "nothing was written" in result.stderr
    assert list(tmp_path.iterdir()) == []
