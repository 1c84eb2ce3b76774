"""The exceptions kantor raises, and one helper that suggests the nearest right name.

Not converging is never an exception: it is a :class:`kantor.Status`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class KantorError(Exception):
    """Base class of everything kantor raises on purpose."""


class ProblemError(KantorError, ValueError):
    """The input is wrong. The message names the argument, row or label, what was got and what was expected."""


class OptionError(KantorError, ValueError):
    """An option has an impossible value, or two options exclude each other."""


class BackendUnavailable(KantorError, ImportError):
    """A backend cannot be used here. The message says what is missing and how to install it."""


class BackendError(KantorError, RuntimeError):
    """A backend failed while running: a CUDA or MPI error code, with file and line."""


def suggest(name: object, known: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of the known names, or the list of them if none is near.

    >>> suggest("GGH", ["GHG", "JOBS"])
    "; did you mean 'GHG'?"
    """
    names = [str(k) for k in known]
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.5)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}" if names else ""


class MissingPackage(KantorError, ImportError):
    """A package that an optional part needs is not installed. The message holds the line that installs it."""


def need(package: str, purpose: str, extra: str = "io") -> ModuleType:
    """Import an optional package, or raise MissingPackage that says what it is for and how to install it.

    >>> need("json", "nothing").__name__
    'json'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackage(
            f"{purpose} need the package {package}, which is not installed ({error}); "
            f"install it with: pip install 'kantor[{extra}]'"
        ) from error
