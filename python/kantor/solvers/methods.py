"""The iterative methods by name."""

from __future__ import annotations

from .anderson import Anderson
from .bicgstab import Bicgstab
from .iteration import Iteration
from .neumann import Neumann

METHODS: dict[str, type[Iteration]] = {"bicgstab": Bicgstab, "anderson": Anderson, "neumann": Neumann}
