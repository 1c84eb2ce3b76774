"""Benchmarks that ``kantor bench`` runs: ratios to a peer and to the measured bandwidth, in one run."""

from __future__ import annotations

SUITES = ("kernels",)
