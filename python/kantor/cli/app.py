"""The ``kantor`` command: its sub-commands, and one place that turns errors into messages and exit codes."""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import BackendError, KantorError
from . import (
    analysis,
    ballots,
    bench,
    compare,
    export,
    forecast,
    generate,
    info,
    lp,
    monitor,
    partition,
    plan,
    replan,
    shock,
    sweep,
    tables,
    template,
)
from .console import Exit, print_json, say
from .ranks import failed, refuse_alone

# Typer carries its own copy of Click or depends on it, by version; this is UsageError in both.
_UsageError: Any = typer.BadParameter.__bases__[0]


class _Commands(TyperGroup):
    """Runs a sub-command; with --json an error is one JSON object too, otherwise a line on standard error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj = {"json": "--json" in args}
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        as_json = bool(ctx.obj and ctx.obj["json"])
        warnings.showwarning = _warn  # type: ignore[assignment]
        try:
            refuse_alone([*getattr(ctx, "protected_args", []), *getattr(ctx, "_protected_args", []), *ctx.args])
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except _UsageError as error:
            if not as_json:
                raise
            _report("UsageError", error.format_message(), as_json)
            code = Exit.BAD_INPUT
        except BackendError as error:
            _report(type(error).__name__, str(error), as_json)
            code = Exit.FAILED
        except (KantorError, OSError) as error:
            _report(type(error).__name__, str(error), as_json)
            code = Exit.BAD_INPUT
        except KeyboardInterrupt:
            _report("KeyboardInterrupt", "interrupted before there was a plan; nothing was written", as_json)
            code = Exit.INTERRUPTED
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            _report(type(error).__name__, f"unexpected error, please report it with the lines above: {error}", as_json)
            code = Exit.FAILED
        raise typer.Exit(int(code))


def _warn(message: Warning | str, *_: Any) -> None:
    """Warnings as messages: where in the code they come from is of no use to a planner."""
    say(f"kantor: warning: {message}")


def _report(kind: str, message: str, as_json: bool) -> None:
    failed(message)
    say(f"kantor: {message}")
    if as_json:
        print_json({"error": {"type": kind, "message": message}})


app = typer.Typer(
    name="kantor",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Economic plans with certificates. Exit codes: 0 done, 1 a certificate does not hold, 2 bad input, "
    "3 infeasible or unbounded, 4 a limit was reached, 130 interrupted.",
)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command's name."""


app.command("plan")(plan.plan)
app.command("verify")(plan.verify)
app.command("report")(plan.report)
app.command("replan")(replan.replan)
app.command("log")(replan.log)
app.command("monitor")(monitor.monitor)
app.command("forecast")(forecast.forecast)
app.command("shock")(shock.shock)
app.command("ballots")(ballots.ballots)
app.command("fund")(ballots.fund)
app.command("compare")(compare.compare)
app.command("sweep")(sweep.sweep)
app.command("export")(export.export)
app.command("template")(template.template)
app.command("check")(tables.check)
app.command("balance")(tables.balance)
app.command("values")(tables.values)
app.command("footprints")(analysis.footprints)
app.command("balance-table")(analysis.balance_table)
app.command("lp")(lp.lp)
app.command("partition")(partition.partition)
app.command("info")(info.info)
app.command("bench")(bench.bench)
app.add_typer(generate.app, name="generate")
