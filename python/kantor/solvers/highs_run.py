"""HiGHS in a thread of its own, so that Ctrl-C ends it too.

While compiled code runs on the main thread, Python keeps a signal until it returns. So the solver runs beside the main
thread, which waits and is woken. HiGHS asks a callback between two iterations whether to stop; the callback is only
switched on once it should, and costs nothing before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

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
            done.set()

    try:
        threading.Thread(target=inside, daemon=True).start()
        while not done.wait(_LOOK_SECONDS):
            if asked_to_stop():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        ask()
        done.wait(_PATIENCE_SECONDS)
        raise
    if failed:
        raise failed[0]
