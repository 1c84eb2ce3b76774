"""Start a child, watch its clock and its memory, kill it at a limit, and say how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import Arrays, read_arrays, write_json

_POLL_S = 0.02
_LOADING_S = 300.0  # to read the instance and import the package
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Limits:
    """Of one run: seconds for each repetition, repetitions, seconds for all of them together, resident megabytes."""

    seconds: float
    repeats: int = 3
    budget_s: float = 5.0
    memory_mb: float = 12_000.0
    threads: int = 1

    @property
    def patience(self) -> float:
        """A run that has its own limit may end a little late; at this many seconds it is killed."""
        return 1.1 * self.seconds + 3.0


def launch(
    python: str, peer: str, options: dict[str, Any], instance: Path, tolerance: float, limits: Limits
) -> tuple[dict[str, Any], Arrays | None]:
    """(outcome, answer) of one run. Never raises for what the child does: a crash is an outcome, too."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        paths = {key: str(folder / key) for key in ("answer", "outcome", "progress", "log")}
        spec = {
            "instance": str(instance.resolve()), "peer": peer, "options": options, "tolerance": tolerance,
            "limit_s": limits.seconds, "threads": limits.threads, "repeats": limits.repeats,
            "budget_s": limits.budget_s, **paths,
        }  # fmt: skip
        write_json(folder / "spec", spec)
        Path(paths["progress"]).touch()
        ended = _watch(python, folder, limits)
        outcome = _read(Path(paths["outcome"])) | {"ended": ended}
        if not outcome.get("seconds") and ended != "by itself":
            # Repetitions that were finished before count; without one the run has no answer.
            crashed = ended.startswith("exit")
            said = f"{ended}: {_last_words(Path(paths['log']))}" if crashed else ended
            outcome |= {"status": "crash" if crashed else "killed", "said": said}
        answer = Path(paths["answer"])
        return outcome, read_arrays(answer) if answer.exists() else None


def _watch(python: str, folder: Path, limits: Limits) -> str:
    """Run the child to its end; "by itself", "exit CODE", or why it was killed."""
    threads = str(limits.threads)
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | dict.fromkeys(pools, threads)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    progress = folder / "progress"
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(
            [python, "-m", "harness.child", str(folder / "spec")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        since, lines = time.monotonic(), 0
        why = ""
        try:
            while child.poll() is None:
                time.sleep(_POLL_S)
                now = progress.read_text().count("\n")
                if now != lines:
                    lines, since = now, time.monotonic()
                waited = time.monotonic() - since
                running = lines % 2 == 1  # the last line says "run"; else loading, compiling, or between repetitions
                if waited > (limits.patience if running else _LOADING_S):
                    why = f"time: {waited:.0f} s" if running else f"loading took {waited:.0f} s"
                elif resident_mb(child.pid) > limits.memory_mb:
                    why = f"memory: more than {limits.memory_mb:.0f} MB"
                if why:
                    break
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return why or ("by itself" if child.returncode == 0 else f"exit {child.returncode}")


def resident_mb(pid: int) -> float:
    """Resident size now, 0 where it cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError, ValueError):
        return 0.0


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content


def _last_words(log: Path) -> str:
    text = log.read_text(errors="replace").strip() if log.exists() else ""
    return text[-300:] or "no word"


def interpreters(given: list[str]) -> dict[str, str]:
    """{package: interpreter} from options ``PACKAGE=PATH``, or ``PATH`` for all peers; "kantor" is always this one."""
    found = {"*": os.environ.get("KANTOR_PEERS_PYTHON", sys.executable)}
    for entry in given:
        package, separator, path = entry.partition("=")
        if separator:
            found[package] = path
        else:
            found["*"] = entry
    found["kantor"] = sys.executable
    return found
