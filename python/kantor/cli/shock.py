"""``kantor shock``: what falls out, what is short, and how little has to be lost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import ProblemError
from .console import label, print_json, print_table
from .plan import Json
from .progress import steps


def shock(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="A data set, a folder or a file, as for kantor balance.", show_default=False
        ),
    ],
    lost: Annotated[
        list[str],
        typer.Option(
            metavar="LABEL=SHARE", help="What falls out, as 'DEU / Basic metals=50%'; a region alone is all of it."
        ),
    ],
    year: Annotated[int | None, typer.Option(help="For data sets with several years.")] = None,
    spare: Annotated[float, typer.Option(help="How far activities may rise above the base.", min=0.0)] = 0.0,
    recovery: Annotated[str, typer.Option(help="The part of the loss that still holds, by period.")] = "1",
    demand: Annotated[str, typer.Option(help="What is wanted: a category of final demand.")] = "total",
    tolerance: Annotated[float, typer.Option(help="Largest certified gap.")] = 1e-6,
    method: Annotated[str, typer.Option(help="How to solve; auto chooses by structure.")] = "auto",
    top: Annotated[int, typer.Option(help="Rows of every list.", min=1)] = 10,
    as_json: Json = False,
) -> None:
    """Compare the re-allocation with the least loss with proportional rationing; divide the loss among its causes."""
    from ..data.datasets import load_economy
    from ..feedback.shock import shock as struck

    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        economy = load_economy(table, **({} if year is None else {"year": year}))
        falls = dict(_entry(text, economy.techniques) for text in lost)
        step.begin("re-allocating")
        found = struck(economy, falls, targets=demand, spare=spare, recovery=_parts(recovery),
                       tolerance=tolerance, method=method)  # fmt: skip
        step.begin("dividing the loss")
        causes = found.causes()
    losses, short = found.losses, found.short
    if as_json:
        print_json({"losses": losses.reset_index().to_dict("records"), "causes": causes.to_dict("records"),
                    "short": [{"product": label(key)} | {str(k): v for k, v in row.items()}
                              for key, row in short.head(top).iterrows()]})  # fmt: skip
        return
    kinds = ("loss", "upper", "rationing")
    rows = [(*(_share(row[key]) for key in kinds), f"{row['ratio']:.3f}") for row in losses.to_dict("records")]
    print_table("Lost of all that is wanted", ("period", "re-allocated", "at most", "rationed", "ratio"),
                [(str(k), *row) for k, row in enumerate(rows, 1)])  # fmt: skip
    print_table("Due to, in the first period", ("technique", "share of what is wanted"),
                [(row["technique"], _share(row["effect"])) for row in causes.head(top).to_dict("records")])  # fmt: skip
    print_table("Short, of what is wanted of each", ("product", *(f"period {k}" for k in short.columns)),
                [(label(key), *map(_share, row)) for key, row in short.head(top).iterrows()])  # fmt: skip
    surplus = found.surplus(top=top)
    print_table("Idle or left over", ("product", "idle", "unused", "could go into", "which lacks"),
                [(label(key), f"{row['idle']:.6g}", f"{row['unused']:.6g}", row["use_in"], row["lacks"])
                 for key, row in surplus.iterrows()])  # fmt: skip


def _entry(text: str, techniques: Any) -> tuple[Any, float]:
    """(label or region, share) of "LABEL=SHARE"."""
    from ..feedback.change import number_or_percent
    from ..planning.scenario_labels import find_label

    name, mark, share = text.rpartition("=")
    if not mark:
        raise ProblemError(f"--lost {text!r}: expected LABEL=SHARE, as 'steel=50%'")
    name = name.strip()
    value = number_or_percent(share.strip(), 1.0, f"--lost {text!r}")
    if techniques.nlevels > 1 and "/" not in name and name in techniques.get_level_values(0):
        return name, value
    return find_label(name, techniques, "--lost"), value


def _parts(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ProblemError(f"--recovery {text!r}: expected numbers with commas between them, as 1,0.5,0") from None


def _share(value: float) -> str:
    return f"{100.0 * value:.4f} %"
