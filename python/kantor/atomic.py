"""Files and folders written whole or not at all: under a temporary name beside their place, flushed, then renamed.

A reader sees the old content or the new one, never half of it. A symbolic link stays a link: what it points to is
replaced. Errors of the operating system become ProblemError that names the place.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import ProblemError


def refuse_foreign(target: Path, ours: Collection[str], what: str) -> None:
    """ProblemError unless ``target`` is free or a folder with nothing but files of these names: ``what`` they are."""
    if target.exists() and not target.is_dir():
        raise ProblemError(f"{target}: is a file, and {what} are a folder; name another")
    if target.is_dir() and any(entry.name not in ours for entry in target.iterdir()):
        raise ProblemError(f"{target}: holds more than {what} and is not replaced")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``target`` if the block succeeds, and disappears if it does not.

    Missing folders above ``target`` are made. What may be replaced is for the caller to decide before.
    """
    with _named(target):
        place = real_place(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=".partial", dir=place.parent))
        try:
            yield partial
            partial.chmod(0o755)
            for path in [*partial.rglob("*"), partial]:
                _flush(path)
            _swap(partial, place)
            _flush(place.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def new_file(target: Path, *, parents: bool = False) -> Iterator[IO[bytes]]:
    """A file open for writing that takes the place of ``target`` if the block succeeds.

    ``parents``: make missing folders above it.
    """
    with _named(target):
        place = real_place(target)
        if parents:
            place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{place.name}-", suffix=".partial", dir=place.parent)
        partial = Path(name)
        try:
            with open(handle, "wb") as stream:
                yield stream
            partial.chmod(0o644)
            _flush(partial)
            os.replace(partial, place)
        finally:
            partial.unlink(missing_ok=True)


def real_place(target: Path) -> Path:
    """Where ``target`` is after following links; OSError for links that lead to each other."""
    try:
        return target.resolve()
    except RuntimeError as error:
        raise OSError(f"symbolic links lead in a circle ({error})") from error


@contextmanager
def _named(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProblemError(f"{target}: cannot be written: {error.strerror or error}") from error


def _swap(partial: Path, place: Path) -> None:
    """Put the new folder in the place of the old one, which comes back if that fails."""
    if not place.exists():
        partial.rename(place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=".old.partial", dir=place.parent))
    place.rename(old / place.name)
    try:
        partial.rename(place)
    except OSError:
        (old / place.name).rename(place)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
