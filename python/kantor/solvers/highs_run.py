"""HiGHS in a thread beside the main one, so that Ctrl-C ends it too.

While compiled code runs on the main thread, Python keeps a signal until it returns. So the solver runs beside the main
thread, which waits and is woken. HiGHS asks a callback between two iterations whether to stop; the callback is only
switched on once it should, and costs nothing before.

It is the same thread for every run: HiGHS keeps a scheduler for each thread that it ran in.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ClassVar

from ..backends.world import asked_to_stop

# How often a rank looks for a request to stop, and how long an interrupted solver may take to its next iteration; one
# that takes longer (in presolve, or in factors of a large basis) is left to itself.
_LOOK_SECONDS, _PATIENCE_SECONDS = 0.1, 2.0


def run(highspy: Any, solver: Any) -> None:
    """``solver.run()``, which Ctrl-C ends with a KeyboardInterrupt."""

    def stop(kind: Any, message: str, data_out: Any, data_in: Any, user_data: Any) -> None:
        data_in.user_interrupt = True

    kinds = highspy.cb.HighsCallbackType
    solver.setCallback(stop, None)

    def ask() -> None:
        for kind in (kinds.kCallbackSimplexInterrupt, kinds.kCallbackIpmInterrupt):
            solver.startCallback(kind)

    interruptible(solver.run, ask)


def interruptible(work: Callable[[], Any], ask: Callable[[], None] = lambda: None) -> None:
    """Do ``work`` in a thread and wait for it; KeyboardInterrupt on Ctrl-C, after ``ask`` has asked the work to end."""
    failed: list[BaseException] = []
    done = threading.Event()

    def inside() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            worker.busy = False  # before the next run can ask
            done.set()

    worker = _Worker.free()
    try:
        worker.do(inside)
        while not done.wait(_LOOK_SECONDS):
            if asked_to_stop():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        ask()
        done.wait(_PATIENCE_SECONDS)
        raise
    if failed:
        raise failed[0]


class _Worker:
    """A thread that does one piece of work after another, for the life of the process."""

    known: ClassVar[list[_Worker]] = []

    def __init__(self) -> None:
        self.process, self.busy = os.getpid(), False
        self.queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._work, name="HiGHS", daemon=True).start()

    @classmethod
    def free(cls) -> _Worker:
        """One that is not left behind with work that did not end, nor in the process this one was forked from."""
        cls.known = [worker for worker in cls.known if worker.process == os.getpid()]
        found = next((worker for worker in cls.known if not worker.busy), None)
        if found is None:
            found = cls()
            cls.known.append(found)
        return found

    def do(self, work: Callable[[], None]) -> None:
        """Begin a piece of work."""
        self.busy = True
        self.queue.put(work)

    def _work(self) -> None:
        while True:
            self.queue.get()()
