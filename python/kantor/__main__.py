"""``python -m kantor`` is the command line."""

from .cli import main

main()
