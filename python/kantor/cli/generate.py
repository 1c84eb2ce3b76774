"""``kantor generate FAMILY ... -o DIR``: instances of known families, written as a folder that every command reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..backends.world import active, once
from ..errors import OptionError, ProblemError
from .console import print_json, say
from .plan import Json

if TYPE_CHECKING:
    from ..data.economy import Economy
    from ..data.shards import ShardedTable

app = typer.Typer(no_args_is_help=True, help="Write an economy of a generated family to a folder.")

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write; it must not exist.", metavar="DIR")]
Shards = Annotated[
    int | None,
    typer.Option(
        help="Write that many pieces in place of an economy: its table and total final demand, for kantor balance."
    ),
]
Seed = Annotated[int, typer.Option(help="Of the random numbers; same arguments and seed, same economy.")]


@app.command("lumpable")
def lumpable(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The square sector table to split.")],
    output: Output,
    products: Annotated[int, typer.Option(help="About how many products; at least the number of sectors.")] = 100_000,
    seed: Seed = 1,
    cover: Annotated[float, typer.Option(help="Share of each column's inputs that is kept before splitting.")] = 0.9,
    suppliers: Annotated[int, typer.Option(help="Most suppliers of an input.")] = 2,
    sigma_units: Annotated[float, typer.Option(help="Spread of the products' units; 0 keeps values.")] = 0.0,
    jitter: Annotated[float, typer.Option(help="Spread of inputs within a sector; 0: exact sectors.")] = 0.0,
    shards: Shards = None,
    as_json: Json = False,
) -> None:
    """Split the sectors of a table into products so that the plan's optimum is exactly that of the sectors."""
    from ..data.datasets import load_economy
    from ..data.generators import expand

    _check_free(output)
    began = time.perf_counter()
    sectors = load_economy(table)
    options = {"sigma_units": sigma_units, "jitter": jitter}
    economy = expand(sectors, products, seed=seed, cover=cover, kmax=suppliers, **options)
    _write(economy, output, began, as_json, shards)


@app.command("power-law")
def power_law(
    industries: Annotated[int, typer.Argument(metavar="INDUSTRIES", help="How many industries, one product each.")],
    output: Output,
    structure: Annotated[str, typer.Option(help="interconnected or price.")] = "interconnected",
    inputs: Annotated[int, typer.Option(help="Draws of an input per industry.")] = 160,
    baskets: Annotated[int, typer.Option(help="Baskets.")] = 10,
    basket_size: Annotated[int, typer.Option(help="Draws per basket.")] = 160,
    balances: Annotated[int, typer.Option(help="Balance rows: how often a unit of output counts.")] = 10,
    hawkins_simon: Annotated[float, typer.Option(help="Size of the largest input, relative to 1 / inputs.")] = 0.5,
    seed: Seed = 1,
    shards: Shards = None,
    as_json: Json = False,
) -> None:
    """Härdin's power-law family; with the defaults the published instance of this size, number by number."""
    from ..data.power_law import power_law as generate

    _check_free(output)
    began = time.perf_counter()
    economy = generate(
        industries,
        structure,  # type: ignore[arg-type]  # checked there
        inputs=inputs,
        baskets=baskets,
        basket_size=basket_size,
        balances=balances,
        hawkins_simon=hawkins_simon,
        seed=seed,
    )
    _write(economy, output, began, as_json, shards)


@app.command("technique-choice")
def technique_choice(
    goods: Annotated[int, typer.Argument(metavar="GOODS", help="How many goods.")],
    output: Output,
    family: Annotated[str, typer.Option(help="use (least labour) or scale (largest scale of a basket).")] = "use",
    techniques: Annotated[int | None, typer.Option(help="Per good; 3 for use, 2 for scale.")] = None,
    resources: Annotated[int | None, typer.Option(help="Limited resources; 5 for use, 13 for scale.")] = None,
    rho: Annotated[float, typer.Option(help="Spectral radius of the first technology of use.")] = 0.8,
    limits: Annotated[str, typer.Option(help="tight, or blend (always feasible).")] = "tight",
    blend: Annotated[float, typer.Option(help="How far blend goes from the plan of least labour.")] = 0.3,
    capacities: Annotated[float, typer.Option(help="Share of the techniques with a capacity.")] = 0.0,
    leave_one_free: Annotated[bool, typer.Option(help="Leave one technique of every good without one.")] = True,
    unit_spread: Annotated[float, typer.Option(help="Spread of the goods' units; 0 keeps values.")] = 0.0,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Several techniques for every good, limited resources, capacities; the limits are in the economy's notes."""
    from ..data.technique_choice import technique_choice as generate

    _check_free(output)
    began = time.perf_counter()
    instance = generate(
        goods, family=family, techniques=techniques, resources=resources, rho=rho, limits=limits, blend=blend,
        capacities=capacities, leave_one_free=leave_one_free, unit_spread=unit_spread, seed=seed,
    )  # fmt: skip
    _write(instance.economy(), output, began, as_json)


@app.command("regional")
def regional(
    regions: Annotated[int, typer.Argument(metavar="REGIONS", help="How many regions, one shard each.")],
    goods: Annotated[int, typer.Argument(metavar="GOODS", help="Goods of each region.")],
    output: Output,
    users: Annotated[int, typer.Option(help="Draws of a user per good: about so many entries a row.")] = 40,
    trade: Annotated[float, typer.Option(help="Share of the users in other regions.")] = 0.05,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Regions that trade with those near them, in shards: under mpiexec or srun every rank makes its own regions."""
    from ..data.regional import write_regional

    once(_check_free)(output)
    began = time.perf_counter()
    table = write_regional(output, regions, goods, users=users, trade=trade, seed=seed, world=active())
    _tell(table, began, as_json)


@app.command("regional-program")
def regional_program(
    regions: Annotated[int, typer.Argument(metavar="REGIONS", help="How many regions, one shard each.")],
    goods: Annotated[int, typer.Argument(metavar="GOODS", help="Goods of each region, with two techniques each.")],
    output: Output,
    users: Annotated[int, typer.Option(help="Draws of a user per good and technique.")] = 20,
    trade: Annotated[float, typer.Option(help="Share of the users in other regions.")] = 0.05,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Least labour for a final demand under a common limit, a linear program in shards, for kantor lp."""
    from ..data.regional_program import write_regional_program

    once(_check_free)(output)
    began = time.perf_counter()
    program = write_regional_program(output, regions, goods, users=users, trade=trade, seed=seed, world=active())
    rows, columns = program.shape
    say(f"{rows:,} rows, {columns:,} columns, {program.entries:,} entries: wrote {output}")
    if as_json:
        sizes = {"rows": rows, "columns": columns, "entries": program.entries, "shards": len(program.shards)}
        print_json({**sizes, "folder": str(output), "seconds": {"total": time.perf_counter() - began}})


@app.command("regional-economy")
def regional_economy(
    regions: Annotated[int, typer.Argument(metavar="REGIONS", help="How many regions, one shard each.")],
    goods: Annotated[int, typer.Argument(metavar="GOODS", help="Goods of each region.")],
    output: Output,
    users: Annotated[int, typer.Option(help="Draws of a user per good and technique.")] = 20,
    trade: Annotated[float, typer.Option(help="Share of the users in other regions.")] = 0.05,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Two techniques a good, labour and energy, an economy in shards, for kantor plan."""
    from ..data.regional_economy import write_regional_economy

    once(_check_free)(output)
    began = time.perf_counter()
    found = write_regional_economy(output, regions, goods, users=users, trade=trade, seed=seed, world=active())
    products, techniques = found.shape
    say(f"{products:,} goods, {techniques:,} techniques, {found.entries:,} entries: wrote {output}")
    if as_json:
        sizes = {"products": products, "techniques": techniques, "inputs": found.entries, "shards": len(found.shards)}
        print_json({**sizes, "folder": str(output), "seconds": {"total": time.perf_counter() - began}})


def _check_free(folder: Path) -> None:
    """Before the work, not after it."""
    if active() is not None:  # every rank would make the whole of it
        raise OptionError(
            "generate: only the regional families are made by several ranks; start it without mpiexec or srun"
        )
    if folder.exists():
        raise ProblemError(f"--output {folder}: exists already; name a folder that does not")


def _tell(table: ShardedTable, began: float, as_json: bool) -> None:
    say(f"{table.n:,} goods, {table.entries:,} entries in {len(table.shards)} shards: wrote {table.folder}")
    if as_json:
        sizes = {"products": table.n, "inputs": table.entries, "shards": len(table.shards)}
        print_json({**sizes, "folder": str(table.folder), "seconds": {"total": time.perf_counter() - began}})


def _write(economy: Economy, folder: Path, began: float, as_json: bool, shards: int | None = None) -> None:
    if shards is not None:
        from ..data.shards import split_table

        _tell(split_table(folder, economy.A, economy.demand("total").to_numpy(), shards), began, as_json)
        return
    from ..data.saved import save_economy

    made = time.perf_counter()
    save_economy(economy, folder)
    written = time.perf_counter()
    say(f"{economy!r}: wrote {folder}")
    for note in economy.notes:
        say(f"note: {note}")
    if as_json:
        sizes = {"products": economy.n_goods, "techniques": economy.n_techniques, "inputs": int(economy.A.nnz)}
        seconds = {"total": written - began, "generate": made - began, "write": written - made}
        print_json({"economy": economy.name, **sizes, "folder": str(folder), "seconds": seconds})
