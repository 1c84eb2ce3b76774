"""Kill plans of several ranks at random, go on, and compare: python benchmarks/scaling/kills.py [--runs 100] [-o FILE]

A plan is solved by two ranks (--ranks) under mpiexec with a checkpoint fifty times a second, and ended at random:

rank   SIGKILL to one rank
term   SIGTERM to one rank, as a scheduler does: all ranks must stop together, with code 130
write  SIGKILL to the rank that writes, inside the writing of a checkpoint, at a random stage of it
torn   SIGKILL to all ranks, and then the newest checkpoint is cut short or has a bit flipped, as a bad disk would

One kill in four comes at any moment of the run, loading and writing included, the others while it solves; a run that
was through before is begun anew and not counted. It is started again until it is through, and killed once more with a
chance of one third. Held to: the job ends within seconds of the kill, every checkpoint file is whole or was damaged by
us, a damaged one is refused by name and never read, the plan in the end is optimal and has the bits of an undisturbed
run's. One JSON record with a line a run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("rank", "term", "write", "torn")
STAGES = ("empty", "half", "unflushed", "unnamed", "after")
SECONDS = 300.0  # a job that lasts longer hangs
TRIES = 8  # to hit a run before it is through
WRITES = 8  # a kill comes inside one of the first so many writings
ENDED = 60.0  # longest that the other ranks may go on after a kill
SCENARIO = """
[economy]
source = "us_2012"
expand_to = 1200
[objective]
kind = "harmony"
[limits.labour]
at_most = "-5%"
[solve]
tolerance = 1e-9
method = "pdhg"
"""


# ---- what every rank runs --------------------------------------------------------------------------------------------
def rank(arguments: list[str]) -> None:
    """kantor with a checkpoint fifty times a second, and, where KANTOR_KILL says so, an end inside a write."""
    from kantor.cli import main
    from kantor.solvers import checkpoint

    checkpoint._SECONDS_BETWEEN = 0.02
    said = os.environ.get("KANTOR_KILL")
    if said:
        die_in_a_write(*said.split(":"))
    sys.argv = ["kantor", *arguments]
    main()


def die_in_a_write(number: str, stage: str) -> None:
    """Let this process be killed in its n-th writing of a checkpoint, at a stage of it."""
    left, replace, fsync = int(number), os.replace, os.fsync

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watched_fsync(handle: int) -> None:
        nonlocal left
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        if "checkpoint" in name:
            left -= 1
            if left == 0 and stage in ("empty", "half", "unflushed"):
                size = os.fstat(handle).st_size
                os.truncate(f"/proc/self/fd/{handle}", {"empty": 0, "half": size // 2, "unflushed": size}[stage])
                die()
        fsync(handle)

    def watched_replace(source: Any, target: Any, **options: Any) -> None:
        ours = Path(target).name.startswith("checkpoint")
        if ours and left == 0 and stage == "unnamed":
            die()
        replace(source, target, **options)
        if ours and left == 0 and stage == "after":
            die()

    os.fsync, os.replace = watched_fsync, watched_replace  # type: ignore[assignment]


# ---- one run ---------------------------------------------------------------------------------------------------------
class Job:
    """The plan on so many ranks, in a folder of its own."""

    def __init__(self, folder: Path, ranks: int, mpiexec: str) -> None:
        self.folder, self.ranks = folder, ranks
        folder.mkdir(parents=True)
        (folder / "s.toml").write_text(SCENARIO)
        self.command = [
            mpiexec, "-n", f"{ranks}", sys.executable, __file__, "--rank", "plan", "s.toml", "-o", "plan",
            "--checkpoint", "state", "--json",
        ]  # fmt: skip

    def start(self, kill: str = "") -> subprocess.Popen[str]:
        """Begin; the words of the job go to files, so that nobody waits for a reader."""
        out, err = (open(self.folder / name, "w") for name in ("out", "err"))  # noqa: SIM115 - the job's
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "SLURM_", "KANTOR_KILL"))}
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "KANTOR")}
        env = kept | threads | ({"KANTOR_KILL": kill} if kill else {})
        return subprocess.Popen(self.command, stdout=out, stderr=err, text=True, cwd=self.folder, env=env)

    def words(self) -> str:
        """What the last run said on standard error."""
        return (self.folder / "err").read_text()

    def processes(self) -> dict[int, int]:
        """{rank: process id} of those that run now."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if (entry / "cwd").resolve() != self.folder or b"--rank" not in (entry / "cmdline").read_bytes():
                    continue
                given = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            number = [item[9:] for item in given if item.startswith(b"PMI_RANK=")]
            if number:
                found[int(number[0])] = int(entry.name)
        return found

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first."""
        return sorted(self.folder.glob("state/**/checkpoint*.npz"), key=lambda path: path.stat().st_mtime_ns)

    def written(self) -> int:
        """When a checkpoint was written last, 0 if none is there."""
        times = [0]
        for path in self.folder.glob("state/**/checkpoint*.npz"):
            with contextlib.suppress(FileNotFoundError):
                times.append(path.stat().st_mtime_ns)
        return max(times)

    def forget(self) -> None:
        """As before the first start."""
        for name in ("plan", "state"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def plan(self) -> dict[str, Any]:
        """The plan that was written: bounds, and the bytes of its activity."""
        import pandas as pd

        facts = json.loads((self.folder / "plan" / "plan.json").read_text())
        activity = pd.read_parquet(self.folder / "plan" / "activity.parquet").select_dtypes("number").to_numpy()
        certificate = facts["certificate"]
        return {
            "status": facts["status"], "lower": certificate["lower_bound"], "upper": certificate["upper_bound"],
            "activity": activity.tobytes(),
        }  # fmt: skip


def whole(path: Path) -> bool:
    """Whether the checksum of a checkpoint holds, by the reader that a resumed solve uses."""
    from kantor.errors import ProblemError
    from kantor.solvers.checkpoint import _load

    try:
        return _load(path) is not None
    except ProblemError:
        return False


@dataclass(frozen=True)
class Usual:
    """An undisturbed run: seconds to its first checkpoint and to its end, and its plan."""

    first: float
    whole: float
    plan: dict[str, Any]


def disturb(job: Job, kind: str, usual: Usual, chance: random.Random) -> dict[str, Any]:
    """End the job at a random moment, again where it was through before: what was done, and how it ended."""
    for tries in range(TRIES):
        said = _strike(job, kind, usual, chance, max(1, WRITES >> tries))
        if said["code"] != 0:
            return said
        job.forget()
    raise AssertionError(f"{kind}: {TRIES} runs were through before the kill came")


def _strike(job: Job, kind: str, usual: Usual, chance: random.Random, writes: int) -> dict[str, Any]:
    stage, solving = chance.choice(STAGES), chance.random() < 0.75
    kill = f"{chance.randint(1, writes)}:{stage}" if kind == "write" else ""
    said: dict[str, Any] = {"kind": kind, "stage": stage if kind == "write" else None, "at": None, "seconds": None}
    known = job.written()
    process = job.start(kill)
    if kind != "write":
        if solving:
            while process.poll() is None and job.written() in (known, 0):
                time.sleep(0.01)
        said["at"] = chance.uniform(0.0, usual.whole - usual.first if solving else usual.whole)
        said["while"] = "solving" if solving else "any time"
        time.sleep(said["at"])
        alive = job.processes()
        victims = list(alive) if kind == "torn" else [chance.choice(sorted(alive))] if alive else []
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(alive[victim], signal.SIGTERM if kind == "term" else signal.SIGKILL)
    before = time.monotonic()
    said["code"] = process.wait(SECONDS)
    if kind != "write":
        said["seconds"] = time.monotonic() - before
    said["checkpoints"] = len(job.checkpoints())
    said["whole"] = all(whole(path) for path in job.checkpoints())
    return said


def sweep(since: float) -> None:
    """Remove shared memory that killed ranks left: MPICH's, younger than ``since`` and open in no process."""
    for left in Path("/dev/shm").glob("mpich_*"):
        try:
            ours = left.stat().st_mtime >= since and left.stat().st_uid == os.getuid()
            if ours and not any(left.name in maps for maps in _maps()):
                left.unlink()
        except OSError:
            continue


def _maps() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/maps"):
        try:
            yield entry.read_text()
        except OSError:
            continue


def tear(job: Job, chance: random.Random) -> Path | None:
    """Damage the newest checkpoint; None if there is none."""
    files = job.checkpoints()
    if not files:
        return None
    data = bytearray(files[-1].read_bytes())
    if chance.random() < 0.5:
        data = data[: chance.randrange(len(data))]
    else:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    files[-1].write_bytes(data)
    return files[-1]


def run(number: int, folder: Path, mpiexec: str, undisturbed: dict[int, Usual]) -> dict[str, Any]:
    """One run from its first start to its plan: a line of the record. AssertionError if it is not as it must be."""
    chance = random.Random(20261127 + number)
    ranks, kind = chance.choice(sorted(undisturbed)), KINDS[number % len(KINDS)]
    usual = undisturbed[ranks]
    job = Job(folder, ranks, mpiexec)
    line: dict[str, Any] = {"run": number, "ranks": ranks, "kind": kind, "kills": [], "refused": None}
    for _ in range(1 + (chance.random() < 1 / 3)):
        ended = disturb(job, kind, usual, chance)
        line["kills"].append(ended)
        assert ended["whole"], f"{line}: a checkpoint is damaged: {job.words()}"
        assert ended["seconds"] is None or ended["seconds"] < ENDED, f"{line}: the others went on"
    torn = tear(job, chance) if kind == "torn" else None
    if torn is not None:
        damaged = not whole(torn)  # a bit of an archive's padding may mean nothing: then what it says is whole
        code = job.start().wait(SECONDS)
        line["refused"] = code == 2 and torn.name in job.words()
        assert line["refused"] or not damaged, f"{line}: a damaged checkpoint was not refused: {job.words()}"
        if line["refused"]:
            torn.unlink()
    code = job.start().wait(SECONDS)
    assert code == 0, f"{line}: code {code}: {job.words()}"
    found = job.plan()
    assert found["status"] == "optimal", line
    assert found == usual.plan, (line, found["lower"], usual.plan["lower"])  # to the bit
    return line


def undisturbed(folder: Path, mpiexec: str, numbers: list[int]) -> dict[int, Usual]:
    """{ranks: a run that nobody disturbs}; the first one only fills caches."""
    found = {}
    for ranks in [numbers[0], *numbers]:
        job = Job(folder / f"undisturbed-{ranks}-{len(found)}", ranks, mpiexec)
        began, first, process = time.monotonic(), None, job.start()
        while process.poll() is None:
            if first is None and job.checkpoints():
                first = time.monotonic() - began
            time.sleep(0.01)
        whole = time.monotonic() - began
        assert process.returncode == 0, job.words()
        assert first is not None, "no checkpoint"
        found[ranks] = Usual(first, whole, job.plan())
    return found


def main() -> None:
    """Run them, print a line each, write the record."""
    if sys.argv[1:2] == ["--rank"]:
        rank(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="number of the first run, which is its seed")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else str(shutil.which("mpiexec"))
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        plain = undisturbed(Path(place).resolve(), mpiexec, options.ranks)
        for number in range(options.first, options.first + options.runs):
            folder, began = Path(place).resolve() / f"{number}", time.time()
            lines.append(run(number, folder, mpiexec, plain))
            print(json.dumps(lines[-1]), flush=True)
            shutil.rmtree(folder)
            sweep(began)
            if options.output is not None:  # after every run: what was seen is kept whatever comes
                options.output.write_text(json.dumps(summary(lines, plain), indent=1) + "\n")
    print(json.dumps({key: value for key, value in summary(lines, plain).items() if key != "lines"}))


def summary(lines: list[dict[str, Any]], plain: dict[int, Usual]) -> dict[str, Any]:
    """The record of the runs so far."""
    from kantor.bench.machine import describe

    return {
        "suite": "kills", "machine": describe(), "undisturbed_seconds": {r: usual.whole for r, usual in plain.items()},
        "runs": len(lines), "kills": sum(len(line["kills"]) for line in lines),
        "by_kind": {kind: sum(line["kind"] == kind for line in lines) for kind in KINDS},
        "went_on_from_a_checkpoint": sum(line["kills"][-1]["checkpoints"] > 0 for line in lines),
        "damaged_and_refused": sum(line["refused"] is True for line in lines),
        "slowest_end_seconds": max((k["seconds"] or 0.0) for line in lines for k in line["kills"]), "lines": lines,
    }  # fmt: skip


if __name__ == "__main__":
    main()
