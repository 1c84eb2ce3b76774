"""``kantor bench``: kernels against a peer and against the measured bandwidth, in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bench import SUITES
from ..errors import OptionError, ProblemError, suggest
from .console import print_json, say


def bench(
    suite: Annotated[str, typer.Argument(help="Which suite: kernels.")] = "kernels",
    rows: Annotated[int, typer.Option(help="Goods of the matrices.", min=1000)] = 1_000_000,
    backend: Annotated[str, typer.Option(help="Which kernels to time.")] = "auto",
    repeats: Annotated[int, typer.Option(help="Timings of each action; the least counts.", min=1)] = 9,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the results to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Time kernels: ratio to scipy.sparse, and to the bytes that must move at this machine's bandwidth."""
    if suite not in SUITES:
        raise OptionError(f"suite: {suite!r} is unknown{suggest(suite, SUITES)}")
    if output is not None and not output.resolve().parent.is_dir():
        raise ProblemError(f"output: the folder {output.parent} does not exist")
    from ..bench import kernels

    found = kernels.run(rows, backend, repeats, on_step=lambda words: say(f"kantor: {words}"))
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n")
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            typer.echo(line)


def _lines(found: dict[str, Any]) -> list[str]:
    machine = found["machine"]
    speed = ", ".join(f"{name} {value:.1f} GB/s" for name, value in found["bandwidth_gb_s"].items())
    lines = [
        f"{found['backend']} on {found['device']}; {machine['processor']}, {machine['cores']} cores, load {machine['load']}",
        f"measured bandwidth: {speed}",
        f"{'':<34}{'ms':>10}{'scipy ms':>10}{'scipy / ours':>14}{'ours / floor':>14}",
    ]
    for case in found["cases"]:
        lines.append(f"{case['name']}: {case['rows']:,} x {case['columns']:,}, {case['nnz']:,} entries")
        for name in ("K x", "K' y"):
            t = case[name]
            lines.append(
                f"  {name:<32}{t['seconds'] * 1e3:10.2f}{t['scipy_seconds'] * 1e3:10.2f}"
                f"{t['scipy_ratio']:14.2f}{t['floor_ratio']:14.2f}"
            )
        t = case["pdhg iteration"]
        lines.append(f"  {'pdhg iteration':<32}{t['seconds'] * 1e3:10.2f}{'':24}{t['floor_ratio']:14.2f}")
    return lines
