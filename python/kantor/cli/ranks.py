"""``mpiexec -n 4 kantor plan ...`` and ``srun kantor plan ...``: many processes, one command.

All ranks compute; the first one speaks and writes. An error that all of them have is said once; one that only some
have ends the job at once, so that nobody waits for a rank that is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..backends.world import PARTITIONS, SIGNALS, World, active, distributed
from ..errors import OptionError
from . import asked_early, launched

TOGETHER = ("plan", "lp", "balance", "values", "bench", "info", "generate")  # commands whose work is divided


def run_together(command: Callable[[], Any]) -> None:
    """Run the command on all ranks of this job."""
    partition = os.environ.get("KANTOR_PARTITION", "auto")
    try:
        _run(command, launched(), partition if partition in PARTITIONS else "auto")
    finally:
        # A signal that comes while the ranks take leave of each other must not change the exit code.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _run(command: Callable[[], Any], size: int, partition: str) -> None:
    with distributed(partition=partition) as ranks:
        if ranks.size != size:
            words = f"the launcher started {size} processes, but mpi4py belongs to another MPI and sees {ranks.size}"
            os.write(2, f"kantor: {words}; start with the mpiexec of the MPI that mpi4py was built for\n".encode())
            os._exit(2)
        if ranks.rank > 0:
            _silence(ranks)
        if asked_early:
            ranks.ask_to_stop()
        try:
            command()
        except Exception as error:  # outside of the command's own handling
            ranks.abort(f"{type(error).__name__}: {error}", 1)


def _silence(ranks: World) -> None:
    """Nothing this process prints is seen but the message with which it ends the job; libraries print too."""
    ranks.voice = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def refuse_alone(arguments: Sequence[str]) -> None:
    """OptionError for a command that would only do the same work many times."""
    if active() is not None and arguments and arguments[0] not in TOGETHER:
        raise OptionError(f"{arguments[0]}: runs on one process; start it without mpiexec or srun")


def failed(message: str) -> None:
    """Called with every error: goes on if all ranks came here, ends the whole job if not."""
    world = active()
    if world is not None and not world.failed_together():
        world.abort(message, 1)
