"""The command line: ``kantor COMMAND``, also ``python -m kantor``. Exit codes are in kantor.cli.console."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of the console script.

    Ctrl-C while the program is still loading ends it at once: an exception would have to find its way through imports
    that catch or wrap it. From the command's own start on, commands handle it (kantor.cli.app).
    """
    early = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    # A scheduler's signals are a Ctrl-C too: the best plan so far and a checkpoint are written, then it ends.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) if early else ()
    # One of many must not leave alone: the launcher does not notice before MPI is up, and the others would wait for it.
    handler: Callable[[int, Any], object] = _remember
    if launched() == 1:
        handler = _leave
    for number in numbers:
        signal.signal(number, handler)
    command = __getattr__("app")
    if launched() == 1:  # many processes load MPI first, which an exception on its way would tear: see distributed()
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
    try:
        if launched() > 1:
            from .ranks import run_together

            run_together(command)
        else:
            command()
    except KeyboardInterrupt:  # after the command's own end, or before its start
        _leave()


def launched() -> int:
    """How many processes a launcher says it started: MPICH's and Open MPI's mpiexec, srun over PMI-2 or PMIx."""
    said = os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE")
    if said is None and "PMIX_RANK" in os.environ:  # PMIx tells the size only to who asks its library
        said = os.environ.get("SLURM_STEP_NUM_TASKS")
    return int(said) if said and said.isdigit() else 1


asked_early: list[int] = []


def _remember(number: int, _: object) -> None:
    """A signal that came before the ranks know each other: they stop together as soon as they do."""
    asked_early.append(number)


def _leave(*_: object) -> NoReturn:
    os.write(2, b"kantor: interrupted before there was a plan; nothing was written\n")
    os._exit(130)


def __getattr__(name: str) -> Any:
    """``app``, the Typer application: imported when asked for, so that main() can guard the import."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .app import app

    globals()["app"] = app  # in place of the submodule of that name
    return app
