"""Benchmarks that ``kantor bench`` runs: the kernels from here, suites beside peers from the checkout's benchmarks/."""

from __future__ import annotations

SUITES = ("kernels", "scaling", "leontief", "lp", "planning")
CHECKOUT_SUITES = SUITES[2:]
