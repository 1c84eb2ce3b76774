"""``kantor replan`` and ``kantor log``: the next plan from the last one, and the line of plans so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Exit, exit_code, finish, label, plain, print_json, print_table, say
from .plan import Backend, Folder, Json, Method, Quiet, TimeLimit, Tolerance
from .progress import steps

if TYPE_CHECKING:
    from ..feedback.replan import Replanned


def replan(
    folder: Folder,
    change: Annotated[
        list[Path],
        typer.Option(
            "--change", metavar="FILE", help="What is new, TOML or CSV; several are periods one after another."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Where to write the new plan.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A log of plans to add the new ones to; PLAN begins it.")
    ] = None,
    next_period: Annotated[
        bool, typer.Option("--next-period", help="The first year is over: the window of years moves on by one.")
    ] = False,
    price: Annotated[
        float | None, typer.Option(help="Price on change: of moving the whole economy, in units of the objective.")
    ] = None,
    most: Annotated[
        float | None, typer.Option("--most-change", help="Largest share of all activity that may move.")
    ] = None,
    backlog: Annotated[
        bool, typer.Option("--backlog/--no-backlog", help="What outputs fell short of is wanted on top.")
    ] = True,
    top: Annotated[int, typer.Option(help="Rows of every list.", min=1)] = 10,
    tolerance: Tolerance = None,
    method: Method = None,
    backend: Backend = None,
    time_limit: TimeLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the next plan from a plan and what is new; say what moved, through which chain, and what it cost.

    Exit codes as of kantor plan. The new plan names its parent by hash; see docs/feedback.md.
    """
    from ..feedback.log import Log
    from ..feedback.replan import Replanner
    from ..feedback.stability import Stability
    from ..planning.folder import check_writable

    if out is not None:
        check_writable(out)
    stability = None if price is None and most is None else Stability(price=price, at_most=most)
    given = {"tolerance": tolerance, "method": method, "backend": backend}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    done: Replanned | None = None
    written: list[Path] = []
    with steps(quiet=quiet) as step:
        step.begin(f"reading {folder}")
        planner = Replanner(folder, stability=stability, backlog=backlog, **options)
        books = None if log is None else Log(log)
        if books is not None and not books.plans():
            books.adopt(folder)
        for file in change:
            step.begin(f"replanning with {file}")
            done = planner.replan(file, next_period=next_period, time_limit_s=time_limit,
                                  on_progress=step.follow(planner.options["tolerance"]))  # fmt: skip
            if books is not None:
                written.append(books.append(done.result, change=done.change, replan=done.how))
            if exit_code(done.result.status) is Exit.INFEASIBLE:
                break
        assert done is not None
        if out is not None:
            written.append(done.save(out, parent=folder if len(change) == 1 else None))
    _say(done, written, top, as_json=as_json, quiet=quiet)
    finish(exit_code(done.result.status))


def log(
    folder: Annotated[Path, typer.Argument(metavar="LOG", help="A folder of plans.", show_default=False)],
    as_json: Json = False,
) -> None:
    """The line of plans in a log: what each reached and why it was made, and the head to publish."""
    from ..feedback.log import Log
    from ..planning.record import read_record, sha256_of

    books = Log(folder)
    last = books.last()
    rows, heads = [], []
    for path in books.plans():
        record = read_record(path)
        entry: dict[str, Any] = record.get("books") or {}
        change = entry.get("change") or {}
        certificate = record["certificate"]
        heads.append({"plan": path.name, "created": record["created"], "status": record["status"],
                      "objective": certificate["objective"], "gap": certificate["gap"],
                      "reason": change.get("reason") or "", "sha256": sha256_of(path / "plan.json"),
                      "parent": (entry.get("parent") or {}).get("sha256"),
                      "indicators": entry.get("indicators"), "privacy": entry.get("privacy")})  # fmt: skip
        rows.append((path.name, record["created"], record["status"], _number(certificate["objective"]),
                     str(change.get("reason") or "")))  # fmt: skip
    head = None if last is None else sha256_of(last / "plan.json")
    if as_json:
        print_json({"log": folder, "plans": heads, "head": head})
        return
    print_table(f"{folder}", ("plan", "made", "status", "objective", "reason"), rows)
    typer.echo(f"\nhead  {head or 'none'}")


def _say(done: Replanned, written: list[Path], top: int, *, as_json: bool, quiet: bool) -> None:
    solved = exit_code(done.result.status) is not Exit.INFEASIBLE
    comparable = solved and not done.moved_on and done.before.certified and done.result.certified
    costs = done.costs if comparable else None
    moved = done.moves.head(top) if comparable else None
    if as_json:
        facts = done.result.to_dict() | {"folders": [str(path) for path in written], "movement": done.movement}
        facts["before"] = done.before.objective
        facts["seconds_replan"] = done.seconds
        if costs is not None and moved is not None:
            kinds = costs.groupby("kind", sort=False)["effect"].sum()
            facts["effects"] = {str(kind): float(value) for kind, value in kinds.items()}
            facts["costs"] = costs.head(top).to_dict("records")
            facts["moves"] = [{"technique": label(key)} | dict(row) for key, row in moved.iterrows()]
        print_json(plain(facts))
        return
    from .summary import print_plan

    print_plan(done.result)
    typer.echo(f"\nbefore     {done.before.objective:.10g}, now {done.result.objective:.10g}")
    typer.echo(f"movement   {100 * done.movement:.2f} % of all activity, by worth; {done.seconds:.3g} s")
    if costs is not None and moved is not None:
        _print_costs(costs, top)
        _print_moves(moved)
    for path in written:
        say(f"wrote {path}", quiet=quiet)


def _print_costs(costs: Any, top: int) -> None:
    rows = [
        (row["kind"], row["label"], label(row["technique"] or ""), _number(row["before"]), _number(row["after"]),
         f"{row['effect']:+.4g}")
        for row in costs.head(top).to_dict("records")
    ]  # fmt: skip
    if len(costs) > top:
        more = costs.iloc[top:]
        rows.append((f"{len(more):,} more", "", "", "", "", f"{more['effect'].sum():+.4g}"))
    print_table("What each change did to the objective",
                ("kind", "of", "technique", "before", "after", "effect"), rows)  # fmt: skip


def _print_moves(moved: Any) -> None:
    rows = [
        (label(key), _number(row["before"]), _number(row["after"]), row["cause"], row["chain"] or row["source"])
        for key, row in zip(moved.index, moved.to_dict("records"), strict=True)
    ]
    if rows:
        print_table(
            "What moved most, and through which chain", ("technique", "before", "after", "because", "chain"), rows
        )


def _number(value: Any) -> str:
    return "" if value is None or value != value else f"{float(value):.6g}"
