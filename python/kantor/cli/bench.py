"""``kantor bench``: the speed of the kernels here, against a peer and against the memory bandwidth."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OptionError, ProblemError, suggest
from .console import print_json, print_table
from .plan import Json, Quiet
from .progress import steps


def bench(
    suite: Annotated[str, typer.Argument(metavar="[SUITE]", help="kernels.")] = "kernels",
    rows: Annotated[int, typer.Option(help="Goods of the test matrices.", min=1000)] = 1_000_000,
    backend: Annotated[str, typer.Option(help="auto, cuda, native, numba, reference or cupy.")] = "auto",
    repeats: Annotated[int, typer.Option(help="Timings of each kernel; the least counts.", min=1)] = 9,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the results to this JSON file.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time products and whole PDHG iterations against scipy.sparse and the bytes that must move."""
    from ..bench import SUITES

    if suite not in SUITES:
        raise OptionError(f"suite: {suite!r} is unknown{suggest(suite, SUITES)}")
    if output is not None and not output.resolve().parent.is_dir():
        raise ProblemError(f"output: the folder {output.parent} does not exist")
    run = importlib.import_module(f"kantor.bench.{suite}").run
    with steps(quiet=quiet) as step:
        found = run(rows=rows, backend=backend, repeats=repeats, on_step=step.begin)
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n")
    if as_json:
        print_json(found)
    else:
        _print_kernels(found)


def _print_kernels(found: dict[str, Any]) -> None:
    machine = found["machine"]
    bandwidth = ", ".join(f"{name} {value:.1f} GB/s" for name, value in found["bandwidth_gb_s"].items())
    typer.echo(f"backend    {found['backend']}, {found['device']}")
    typer.echo(f"machine    {machine['processor']}, {machine['cores']} cores, load {machine['load']}")
    typer.echo(f"bandwidth  {bandwidth}")
    for case in found["cases"]:
        lines = []
        for name, kernel in case.items():
            if isinstance(kernel, dict):
                peer = f"{kernel['scipy_ratio']:.2f}" if "scipy_ratio" in kernel else ""
                lines.append((name, f"{1e3 * kernel['seconds']:.2f}", f"{kernel['floor_ratio']:.2f}", peer))
        size = f"{case['rows']:,} x {case['columns']:,}, {case['nnz']:,} entries"
        print_table(f"{case['name']}: {size}", ("kernel", "ms", "times the floor", "times faster than scipy"), lines)
