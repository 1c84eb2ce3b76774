"""``kantor bench``: kernels against the memory bandwidth; whole suites beside other packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OptionError, ProblemError, suggest
from .console import print_json, print_table
from .plan import Json, Quiet
from .progress import steps

_ROWS, _REPEATS = 1_000_000, 9


def bench(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="[SUITE]", help="kernels, scaling (under mpiexec), or with the source tree leontief, lp, planning."
        ),
    ] = "kernels",
    peers: Annotated[bool, typer.Option("--peers", help="Suites: other packages too, each run in a process.")] = False,
    small: Annotated[bool, typer.Option("--quick", help="Suites: about a minute.")] = False,
    large: Annotated[bool, typer.Option("--full", help="Suites: hours.")] = False,
    rows: Annotated[int | None, typer.Option(help="Kernels: goods of the matrices [1000000].", min=1000)] = None,
    backend: Annotated[str | None, typer.Option(help="Kernels: auto, cuda, native, numba, reference, cupy.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Timings of each kernel [9], or repetitions.", min=1)] = None,
    regions: Annotated[int | None, typer.Option(help="Scaling: regions; a quarter a rank, weak [8].", min=1)] = None,
    goods: Annotated[int | None, typer.Option(help="Scaling: goods of a region [5000].", min=1)] = None,
    trade: Annotated[float | None, typer.Option(help="Scaling: share of inputs from other regions [0.05].")] = None,
    into: Annotated[Path | None, typer.Option(help="Scaling: JSON list to add the results to.", metavar="FILE")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the results to this JSON file.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time kernels against the bytes that must move, or solvers beside other packages (docs/benchmarks.md).

    The suites have more options: python benchmarks/lp.py --help.
    """
    from ..bench import SUITES

    if suite not in SUITES:
        raise OptionError(f"suite: {suite!r} is unknown{suggest(suite, SUITES)}")
    if output is not None and not output.resolve().parent.is_dir():
        raise ProblemError(f"output: the folder {output.parent} does not exist")
    if suite == "scaling":
        _refuse("the suite 'scaling' has it not", peers=peers, quick=small, full=large, rows=rows, backend=backend,
                output=output)  # fmt: skip
        _scaling(regions or 8, goods or 5_000, 0.05 if trade is None else trade, repeats or 9, into, as_json)
        return
    _refuse("only the suite 'scaling' has it", regions=regions, goods=goods, trade=trade, into=into)
    if suite != "kernels":
        _refuse("only the suite 'kernels' has it", rows=rows, backend=backend, quiet=quiet)
        raise typer.Exit(_checkout(suite, peers, small, large, repeats, output, as_json))
    _refuse("the suite 'kernels' has it not", peers=peers, quick=small, full=large)
    from ..bench import kernels

    with steps(quiet=quiet) as step:
        found = kernels.run(
            rows=rows or _ROWS, backend=backend or "auto", repeats=repeats or _REPEATS, on_step=step.begin
        )
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n")
    if as_json:
        print_json(found)
    else:
        _print_kernels(found)


def _scaling(regions: int, goods: int, trade: float, repeats: int, into: Path | None, as_json: bool) -> None:
    from ..backends.world import active_or_alone, once
    from ..bench import scaling

    found = scaling.run(active_or_alone(), regions=regions, goods=goods, users=40, trade=trade, repeats=repeats)
    if into is not None:
        once(scaling.append)(into, found)
    if as_json:
        print_json(found)
        return
    for case in found["cases"]:
        seconds = case["seconds"]
        lines = [(name.replace("_", " "), f"{1e3 * value:.3f}") for name, value in seconds.items()]
        size = (
            f"{case['entries']:,} entries, {case['halo_most']:,} values fetched by a rank, {case['iterations']} steps"
        )
        print_table(f"{case['scaling']}, {found['ranks']} ranks: {size}", ("part", "ms"), lines)


def _refuse(why: str, **given: Any) -> None:
    for name, value in given.items():
        if value not in (None, False):
            raise OptionError(f"{name}: {why}")


def _checkout(
    suite: str, peers: bool, small: bool, large: bool, repeats: int | None, output: Path | None, as_json: bool
) -> int:
    from ..bench.checkout import run

    flags = {"--peers": peers, "--quick": small, "--full": large, "--json": as_json}
    arguments = [flag for flag, given in flags.items() if given]
    if repeats is not None:
        arguments += ["--repeats", str(repeats)]
    if output is not None:
        arguments += ["--output", str(output)]
    return run(suite, arguments)


def _print_kernels(found: dict[str, Any]) -> None:
    machine = found["machine"]
    typer.echo(f"backend    {found['backend']}, {found['device']}")
    typer.echo(f"machine    {machine['processor']}, {machine['cores']} cores, load {machine['load']}")
    head = ("kernel", "ms", "times the floor", "median", "times faster than scipy", "times one column")
    for case in found["cases"]:
        lines = []
        for name, kernel in case.items():
            if isinstance(kernel, dict) and kernel:
                ratios = ("floor_ratio", "floor_ratio_median", "scipy_ratio", "times_one_column")
                shown = (f"{kernel[ratio]:.2f}" if ratio in kernel else "" for ratio in ratios)
                lines.append((name, f"{1e3 * kernel['seconds']:.2f}", *shown))
        size = f"{case['rows']:,} x {case['columns']:,}, {case['nnz']:,} entries, {case['bandwidth_gb_s']:.1f} GB/s"
        print_table(f"{case['name']}: {size}", head, lines)
    small = [
        tuple(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in line.values())
        for line in found["small"]
    ]
    if small:
        names = ("rows", "entries", "us an iteration", "one thread")
        print_table("Small programmes", names[: len(small[0])], small)
