"""Build the sdist and a wheel from it, install the wheel into an empty environment outside the tree, and use it.

    python tools/check_release.py                         # with this Python
    python tools/check_release.py python3.12 python3.13   # with others that are here

The sdist is made from what git tracks, the wheel from the unpacked sdist alone without an index: what is not
in it, or would have to be fetched, is missed. Beside both goes ``sbom.json``, every package that the installed wheel
brought with it, where cyclonedx-py is installed. Everything lands in ``dist/``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
BUILD = ("scikit-build-core>=0.11", "pybind11>=2.13", "cmake>=3.24", "ninja")
SMOKE = """
import pathlib, kantor as kt, kantor._core
from importlib.metadata import version
assert pathlib.Path(kt.__file__).is_relative_to(PREFIX), kt.__file__
assert kt.__version__ == version("kantor")
result = kt.Plan(kt.load_economy("us_2012"), limits={"labour": "102%", "ghg": "-5%"}).solve(backend="native")
assert result.certified and result.info.backend == "native", result
assert kt.verify_plan(result.save("by_hand")).ok
"""


def run(*command: str | Path, cwd: Path, **changes: str) -> str:
    """Run a command and return what it printed; stop with its whole output if it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")} | changes
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def built(python: str, place: Path) -> Path:
    """The wheel, built by a Python from the unpacked sdist with no index."""
    tools = place / "tools"
    run(python, "-m", "venv", tools, cwd=place)
    own = tools / "bin" / "python"
    run(own, "-m", "pip", "install", "--quiet", *BUILD, cwd=place)
    if not list(DIST.glob("*.tar.gz")):
        source = place / "tracked"
        source.mkdir()
        archive = place / "tracked.tar"
        run("git", "archive", "-o", archive, "HEAD", cwd=ROOT)
        with tarfile.open(archive) as tar:
            tar.extractall(source, filter="data")
        code = f"from scikit_build_core import build; build.build_sdist({str(DIST)!r})"
        run(own, "-c", code, cwd=source)
    with tarfile.open(next(DIST.glob("*.tar.gz"))) as tar:
        tar.extractall(place / "unpacked", filter="data")
    unpacked = next((place / "unpacked").iterdir())
    wheels = place / "wheels"
    path = f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"
    run(own, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "-w", wheels, unpacked,
        cwd=place, PATH=path, PIP_NO_INDEX="1")  # fmt: skip
    wheel = next(wheels.glob("*.whl"))
    shutil.copy(wheel, DIST)
    return wheel


def used(python: str, wheel: Path, place: Path) -> None:
    """Install the wheel alone, outside the tree, and let it plan, verify, report and complete."""
    empty = place / "empty"
    run(python, "-m", "venv", empty, cwd=place)
    own, kantor = empty / "bin" / "python", empty / "bin" / "kantor"
    run(own, "-m", "pip", "install", "--quiet", wheel, cwd=place)
    run(own, "-c", f"PREFIX = {str(empty)!r}{SMOKE}", cwd=place)
    run(kantor, "info", cwd=place)
    run(kantor, "plan", "us_2012", "-o", "plan", "--report", cwd=place)
    run(kantor, "verify", "plan", cwd=place)
    assert (place / "plan" / "report.html").stat().st_size > 50_000
    said = run(kantor, cwd=place, _KANTOR_COMPLETE="complete_bash", COMP_WORDS="kantor ver", COMP_CWORD="1")
    assert said.strip() == "verify", said
    cyclonedx = shutil.which("cyclonedx-py")
    if cyclonedx:
        run(cyclonedx, "environment", own, "--output-reproducible", "-o", DIST / "sbom.json", cwd=place)


def main() -> None:
    """Check with every Python named, or with this one."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for python in sys.argv[1:] or [sys.executable]:
        with tempfile.TemporaryDirectory(prefix="kantor-release-") as name:
            place = Path(name)
            wheel = built(python, place)
            used(python, wheel, place)
            print(f"{python}: {wheel.name} was built from the sdist alone, installed outside the tree, and plans")


if __name__ == "__main__":
    main()
