"""The command line: ``kantor COMMAND``, also ``python -m kantor``. Exit codes are in kantor.cli.console."""

from .app import app, main

__all__ = ["app", "main"]
