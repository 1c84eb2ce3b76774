"""``kantor ballots`` and ``kantor fund``: from ballots to weights, from approvals to projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ProblemError
from .console import print_json, print_table, say
from .plan import Json


def ballots(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="BALLOTS", help="CSV: first column the voter, then points for each option.", show_default=False
        ),
    ],
    rule: Annotated[str, typer.Option(help="mean, median, quadratic or borda.")] = "mean",
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to write weights.csv.")] = None,
    goals: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV product, goal: weights of products instead of goals.")
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="Publish with this much differential privacy only.")] = None,
    eligible: Annotated[int | None, typer.Option(help="How many could have voted.")] = None,
    strategy: Annotated[bool, typer.Option("--strategy", help="Simulate strategic voting under every rule.")] = False,
    as_json: Json = False,
) -> None:
    """Count ballots over goals and write weights for the objective of a plan.

    With --epsilon no exact number is shown or written: weights come from noisy sums, and what was spent is printed.
    """
    from ..feedback.ballots.priorities import product_weights, tally
    from ..feedback.ballots.privacy import PrivacyBudget, private_weights
    from ..feedback.ballots.strategy import strategic_voting

    votes = _table(file)
    facts: dict[str, Any]
    if epsilon is None:
        count = tally(votes, rule)
        weights, facts = count.weights, count.to_dict(eligible) | {"privacy": "exact"}
    else:
        budget = PrivacyBudget(epsilon)
        weights = private_weights(votes, rule, epsilon, budget)
        facts = {"rule": rule, "weights": weights.to_dict(), "privacy": budget.to_dict()}
    if strategy and epsilon is None:
        facts["strategy"] = strategic_voting(votes).reset_index().to_dict("records")
    written = weights.rename_axis("goal") if goals is None else _by_product(goals, weights, product_weights)
    if out is not None:
        written.to_csv(out)
    if as_json:
        print_json(facts)
        return
    print_table(f"Weights by {rule}", ("option", "weight"), [(str(k), f"{v:.4f}") for k, v in weights.items()])
    if epsilon is None:
        typer.echo(
            f"\n{facts['counted']:,} ballots counted, {facts['empty']:,} empty; receipts {facts['root'][:16]}..."
        )
    else:
        typer.echo(f"\n{budget}")
    if "strategy" in facts:
        rows = [(row["rule"], f"{row['can_gain']:.1%}", f"{row['mean_gain']:.4f}") for row in facts["strategy"]]
        print_table("Strategic voting", ("rule", "can gain", "gain"), rows)
    if out is not None:
        say(f"wrote {out}")


def fund(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="APPROVALS", help="CSV: first column the voter, then 0 or 1 for each project.", show_default=False
        ),
    ],
    costs: Annotated[Path, typer.Option(metavar="FILE", help="CSV project, cost.")],
    budget: Annotated[float, typer.Option(help="What may be spent.")],
    rule: Annotated[str, typer.Option(help="equal-shares, greedy or phragmen.")] = "equal-shares",
    as_json: Json = False,
) -> None:
    """Choose investment projects by approval ballots."""
    import pandas as pd

    from ..feedback.ballots.projects import fund as choose

    listed = pd.read_csv(costs, index_col=0)
    found = choose(listed.iloc[:, 0], _table(file).astype(bool), budget, rule)
    if as_json:
        print_json(found)
        return
    rows = [(str(name), f"{row['cost']:.6g}", str(row["supporters"]), "yes" if row["funded"] else "")
            for name, row in found.audit.iterrows()]  # fmt: skip
    print_table(f"Projects by {rule}", ("project", "cost", "supporters", "funded"), rows)
    typer.echo(
        f"\n{found.cost:.6g} of {found.budget:.6g} spent; {found.represented:.1%} of voters have a project they want"
    )


def _table(file: Path) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(file, index_col=0).fillna(0.0)
    except (OSError, ValueError) as error:
        raise ProblemError(f"{file}: cannot be read: {error}") from error


def _by_product(file: Path, weights: Any, spread: Any) -> Any:
    table = _table(file)
    return spread(weights, table.iloc[:, 0].replace(0.0, "")).rename_axis("product")
