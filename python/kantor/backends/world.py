"""The ranks of one solve: their communicator, one clock, one Ctrl-C, and an end that leaves nobody waiting.

Under MPI every rank runs the same Python on the same numbers; only matrices and the backend's vectors are divided
(kantor.backends.distributed). So every decision must be the same everywhere. Two things are not by nature: time, and
signals. :func:`now` is rank 0's clock, read by all together; a signal sets a flag that travels with the next sum or
reading of the clock, and all ranks raise KeyboardInterrupt at the same place.
"""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from ..errors import BackendUnavailable, OptionError

T = TypeVar("T")

PARTITIONS = ("auto", "contiguous", "graph")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Signals that follow an agreed interruption this soon are the same request, seen late by another rank.
_ONE_REQUEST_SECONDS = 10.0
# How long a rank that failed waits for the others to fail too before it ends the job.
_PATIENCE_SECONDS = 3.0


class World:
    """The ranks that solve together.

    ``groups`` maps a length to group numbers (length,), a region for each good say: vectors of that length are divided
    by group (kantor.backends.partition.by_groups); see :meth:`divide_by`.
    """

    def __init__(self, comm: Any, partition: str = "auto") -> None:
        if partition not in PARTITIONS:
            raise OptionError(f"partition: {partition!r}, expected one of {', '.join(PARTITIONS)}")
        self.comm, self._failures = comm.Dup(), comm.Dup()
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.partition = partition
        self.groups: dict[int, np.ndarray] = {}
        self.layouts: dict[int, Any] = {}
        self.backends: dict[str, Any] = {}
        self._asked, self._interrupted = False, -np.inf
        self.voice = 2  # where a last message goes

    # ---- numbers that all ranks know -------------------------------------------------------------------------------
    def gather(self, values: np.ndarray) -> np.ndarray:
        """Every rank's array of one shape, in rank order: (ranks, *shape). KeyboardInterrupt if a rank was asked to
        stop. Collective."""
        flat = np.append(np.asarray(values, dtype=np.float64).ravel(), float(self._asked))
        found = np.empty((self.size, flat.size))
        self.comm.Allgather(flat, found)
        if found[:, -1].any():
            self.heard()
            raise KeyboardInterrupt
        return found[:, :-1].reshape(self.size, *np.shape(values))

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over the ranks, added in rank order, so that it has the same bits everywhere. Collective."""
        found = self.gather(values)
        total = found[0].copy()
        for part in found[1:]:
            total += part
        return total

    def now(self) -> float:
        """Rank 0's seconds. Collective."""
        return float(self.gather(np.array([time.perf_counter()]))[0, 0])

    def ask_to_stop(self, *_: Any) -> None:
        """Interrupt all ranks at their next common step; a signal handler."""
        if time.monotonic() - self._interrupted > _ONE_REQUEST_SECONDS:
            self._asked = True

    @property
    def asked(self) -> bool:
        """Whether this rank was asked to stop and the others do not know yet."""
        return self._asked

    def heard(self) -> None:
        """The ranks know of the request to stop: it is not raised again."""
        self._asked, self._interrupted = False, time.monotonic()

    def agree(self, error: BaseException | None) -> None:
        """Raise on every rank if one of them has an error: its own, or that of the first rank that has one."""
        words = self.comm.allgather(None if error is None else f"{error}")
        if error is not None:
            raise error
        for rank, said in enumerate(words):
            if said is not None:
                raise OptionError(f"rank {rank} of {self.size}: {said}")

    def divide_by(self, groups: np.ndarray) -> None:
        """Keep groups together in vectors of this length, unless something was said about that length before."""
        self.groups.setdefault(groups.size, groups)

    # ---- the end -------------------------------------------------------------------------------------------------
    def failed_together(self) -> bool:
        """Whether every rank came here, each with an error, within a few seconds; if not, end the job by ``abort``."""
        waiting, until = self._failures.Ibarrier(), time.monotonic() + _PATIENCE_SECONDS + 0.3 * self.rank
        while not waiting.Test():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def abort(self, message: str, code: int) -> None:
        """End all ranks at once with one message on standard error."""
        os.write(self.voice, f"kantor: rank {self.rank} of {self.size}: {message}; all ranks are ended\n".encode())
        self.comm.Abort(code)


_active: World | None = None
_outside: World | None = None  # the ranks that wait while the first one runs something for all


def active() -> World | None:
    """The ranks that solve together now, None outside of :func:`distributed` and for a single process."""
    return _active


def active_or_alone() -> World:
    """The ranks that solve together now, or this process alone as a world of one; BackendUnavailable without mpi4py."""
    return _active or World(_mpi().COMM_SELF)


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise BackendUnavailable(f"mpi4py cannot be used ({error}); pip install 'kantor[mpi]' mpich") from error
    return MPI


def rank() -> int:
    """This process's rank, 0 where there is only one."""
    return 0 if _active is None else _active.rank


def now() -> float:
    """Seconds on a clock that all ranks agree on; on one process ``time.perf_counter``."""
    return time.perf_counter() if _active is None else _active.now()


def anywhere(flag: bool) -> bool:
    """Whether any rank says so; on one process the flag itself. Collective."""
    return flag if _active is None else bool(_active.gather(np.array([float(flag)])).any())


def asked_to_stop() -> bool:
    """Whether the rank that runs something for all was asked to stop; on one process a signal raises by itself."""
    return _outside is not None and _outside.asked


def once(function: Callable[..., T]) -> Callable[..., T]:
    """Decorates a function that one rank runs for all: rank 0 calls it, everybody gets its result or its exception.

    For work that need not come out the same on every machine (a simplex method under a time limit), and for files.
    """

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> T:
        global _active, _outside
        world = _active
        if world is None:
            return function(*args, **options)
        result, error = None, None
        if world.rank == 0:
            _active, _outside = None, world  # what it calls in turn is not collective
            try:
                result = function(*args, **options)
            except (Exception, KeyboardInterrupt) as raised:  # a handler of its own may raise the latter
                error = raised
            finally:
                _active, _outside = world, None
        result, error = world.comm.bcast((result, error))
        if isinstance(error, KeyboardInterrupt):
            world.heard()
        if error is not None:
            raise error
        return cast(T, result)

    return run


@contextmanager
def distributed(comm: Any = None, *, partition: str = "auto") -> Iterator[World]:
    """Within the block every solve of this process is one solve of all ranks of ``comm``: matrix products and the
    backend's vectors are divided among them, whatever backend is asked for.

    Parameters
    ----------
    comm : mpi4py communicator; None: ``MPI.COMM_WORLD``
    partition : "contiguous": pieces of rows of about equal numbers of entries; "graph": METIS (extra ``partition``);
        "auto": the one of both that moves fewer numbers, METIS up to 20 million entries and where it is installed

    Every rank must run the same calls on the same arguments: each is collective. All get the whole answer. The bits of
    the answer depend on the number of ranks and on nothing else. SIGINT, SIGTERM and SIGUSR1 interrupt all ranks
    together. An exception that leaves the block on some ranks only ends the job within seconds, with the rank's number
    and message. Raises BackendUnavailable without mpi4py.

    >>> import numpy as np, scipy.sparse as sp
    >>> import kantor as kt
    >>> with kt.distributed() as world:
    ...     solution = kt.solve_leontief(sp.csr_array([[0.25, 0.4], [0.14, 0.12]]), np.array([55.0, 30.0]))
    >>> world.size, solution.x.round(9)
    (1, array([100.,  50.]))
    """
    global _active
    if _active is not None:
        raise OptionError("distributed: already inside such a block")
    if comm is None:
        comm = _mpi().COMM_WORLD
    world = World(comm, partition)
    if world.size == 1:  # nothing to agree on
        yield world
        return
    before = {}
    try:
        for number in SIGNALS:
            before[number] = signal.signal(number, world.ask_to_stop)
    except ValueError:  # not the main thread: signals are somebody else's
        pass
    _active = world
    try:
        yield world
    except Exception as error:
        if not world.failed_together():  # the others wait for this rank in a sum or a product
            world.abort(f"{type(error).__name__}: {error}", 1)
        raise
    finally:
        _active = None
        for number, handler in before.items():
            signal.signal(number, handler)
