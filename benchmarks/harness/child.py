"""One run of one solver, in its own process and in the interpreter its package is installed in.

    python -m harness.child SPEC.json

SPEC: instance, answer, outcome, progress (paths), peer, options, tolerance, limit_s, threads, repeats, budget_s. After
every repetition the answer (.npz) and the outcome (.json) are written, so that a later kill loses nothing. The progress
file gets a line at the start and one at the end of each repetition, and where time is set apart: the parent's clock of
the limit runs while the number of lines is odd.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from . import peers
from .clock import RunClock
from .files import read_arrays, write_arrays, write_json


def main(spec_path: str) -> None:
    """Run and leave the outcome behind; whatever the package does is an outcome."""
    spec = json.loads(Path(spec_path).read_text())
    outcome: dict[str, Any] = {"python": platform.python_version(), "seconds": [], "status": "crash"}
    try:
        _run(spec, outcome)
    except ImportError as error:
        outcome |= {"status": "missing", "said": str(error)}
    except MemoryError as error:
        outcome |= {"status": "memory", "said": f"MemoryError {error}"}
    except Exception as error:
        outcome |= {"status": "error", "said": f"{type(error).__name__}: {error}"[:300], "trace": _tail()}
    outcome["peak_mb"] = peak_mb()
    write_json(Path(spec["outcome"]), outcome)


def _tail() -> str:
    here = str(Path(__file__).resolve().parents[2]) + "/"  # what is stored names no machine's folders
    return "".join(traceback.format_exc().splitlines(keepends=True)[-6:]).replace(here, "")


def _run(spec: dict[str, Any], outcome: dict[str, Any]) -> None:
    arrays = read_arrays(Path(spec["instance"]))
    began = time.perf_counter()
    peer = peers.load(spec["peer"], spec["options"])
    outcome["import_s"] = time.perf_counter() - began
    outcome["version"] = peer.version
    outcome["before_mb"] = peak_mb()
    request = peers.Request(
        tolerance=spec["tolerance"], limit_s=spec["limit_s"], threads=spec["threads"], options=spec["options"]
    )
    with open(spec["progress"], "a", buffering=1) as progress:
        for repeat in range(spec["repeats"]):
            progress.write(f"run {repeat}\n")
            clock = RunClock(lambda begins: progress.write("apart\n" if begins else "run\n"))
            busy = time.process_time()
            answer = peer.solve(arrays, request, clock)
            outcome["seconds"].append(clock.counted())
            outcome["cpu_s"] = time.process_time() - busy  # of all threads, of the last repetition
            outcome |= {"phases": clock.phases, "status": answer.status, "said": answer.said, **answer.facts}
            outcome["peak_mb"] = peak_mb()
            progress.write(f"done {repeat}\n")
            write_arrays(Path(spec["answer"]), answer.arrays)
            write_json(Path(spec["outcome"]), outcome)
            if sum(outcome["seconds"]) + outcome["seconds"][-1] > spec["budget_s"]:
                break


def peak_mb() -> float:
    """The largest resident size of this process so far.

    Linux: VmHWM, which starts anew with the program; ru_maxrss would begin with the size of the parent.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        size = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return size / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1])
