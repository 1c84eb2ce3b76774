"""What a scenario says of years, capital, stocks, regions and trade, as the objects of kantor.modelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data.datasets import load_economy
from ..data.economy import Economy
from ..data.labels import show
from ..errors import ProblemError
from .grammar import LimitTable, TradeTable
from .scenario_labels import by_label, find_label, labelled, year_of

if TYPE_CHECKING:
    from ..modelling.capital import Capital, Storage
    from ..modelling.horizon import Horizon
    from ..modelling.trade import Trade
    from .scenario import Scenario

SIDES = ("at_most", "at_least")


# ---- years -----------------------------------------------------------------------------------------------------------
def horizon_of(scenario: Scenario, eco: Economy) -> Horizon:
    """The horizon of a scenario on its economy of one year."""
    from ..modelling.horizon import Horizon

    table = scenario.document.horizon
    return Horizon(
        years=table.years,
        first=table.first,
        growth=growth_of(scenario, eco),
        discount=table.discount,
        input_lag=table.input_lag,
        rise=_numbers(scenario, table.rise, eco.techniques, "horizon.rise"),
        fall=_numbers(scenario, table.fall, eco.techniques, "horizon.fall"),
        minimum=_minimum(scenario, eco),
        capital=_capital(scenario, eco),
        storage=_storage(scenario, eco),
    )


def growth_of(scenario: Scenario, eco: Economy) -> float | pd.Series:
    """The yearly growth of the targets, one rate or one for every product."""
    return _numbers(scenario, scenario.document.horizon.growth, eco.products, "horizon.growth", fill=0.0)


def _minimum(scenario: Scenario, eco: Economy) -> Any:
    given = scenario.document.horizon.minimum
    if isinstance(given, str):
        table = scenario.table(given, "horizon.minimum")
        if all(str(column).isdigit() for column in table.columns):
            return by_label(table, eco.techniques, f"{scenario.path}, horizon.minimum: {given}")
    return _numbers(scenario, given, eco.techniques, "horizon.minimum")


def _capital(scenario: Scenario, eco: Economy) -> Capital | None:
    from ..modelling.capital import Capital

    table = scenario.document.capital
    if table is None:
        return None
    if table.stocks is not None:
        return _tied_capital(scenario, eco)
    where = f"{scenario.path}, capital"
    assert table.requirements is not None
    assert table.composition is not None  # the grammar asks for both or none
    needs = scenario.table(table.requirements, "capital.requirements")
    assets = needs.index
    at = [find_label(show(label), eco.techniques, f"{where}.requirements") for label in needs.columns]
    needs = needs.set_axis(at, axis=1).reindex(columns=eco.techniques, fill_value=0.0)
    return Capital(
        requirements=needs,
        composition=_by_lead(scenario, table.composition, "capital.composition", eco.products, assets),
        depreciation=_numbers(scenario, table.depreciation, assets, "capital.depreciation"),
        initial=_numbers(scenario, table.initial, assets, "capital.initial", words=("base",)),
        gestation=table.gestation,
        terminal=_numbers(scenario, table.terminal, assets, "capital.terminal", words=("none", "keep", "balanced")),
        growth=table.growth,
        intensities=None
        if table.intensities is None
        else _by_lead(scenario, table.intensities, "capital.intensities", eco.indicators, assets),
    )


def _tied_capital(scenario: Scenario, eco: Economy) -> Capital:
    """Capital from a table of stocks by product and technique; the other files of [capital] are tables like it."""
    from ..modelling.capital import Capital

    table = scenario.document.capital
    assert table is not None
    assert table.stocks is not None

    def like_stocks(value: Any, key: str, words: tuple[str, ...] = ()) -> Any:
        if isinstance(value, dict):
            raise ProblemError(f"{scenario.path}, {key}: with stocks expected a number, a word or a table like stocks")
        if not isinstance(value, str) or value in words:
            return value
        return by_label(scenario.table(value, key), eco.products, f"{scenario.path}, {key}", eco.techniques)

    if table.intensities is not None:
        raise ProblemError(f"{scenario.path}, capital.intensities: needs requirements and composition, not stocks")
    return Capital.by_industry(
        like_stocks(table.stocks, "capital.stocks"),
        depreciation=like_stocks(table.depreciation, "capital.depreciation"),
        initial=like_stocks(table.initial, "capital.initial", ("base",)),
        terminal=like_stocks(table.terminal, "capital.terminal", ("none", "keep", "balanced")),
        gestation=table.gestation,
        growth=table.growth,
    )


def _by_lead(scenario: Scenario, given: str | dict[str, str], key: str, rows: pd.Index, assets: pd.Index) -> Any:
    """One table, or one for each number of years ahead of use; labels it leaves out are zero."""
    where = f"{scenario.path}, {key}"
    if isinstance(given, str):
        return by_label(scenario.table(given, key), rows, where, assets)
    tables = {}
    for lead, file in given.items():
        if not lead.isdigit():
            raise ProblemError(f"{where}: {lead!r}, expected a whole number of years ahead of use")
        tables[int(lead)] = by_label(scenario.table(file, key), rows, where, assets)
    return tables


def _storage(scenario: Scenario, eco: Economy) -> Storage | None:
    from ..modelling.capital import Storage

    table = scenario.document.storage
    if table is None:
        return None
    where = f"{scenario.path}, storage.products"
    products: Any = table.products
    labels = eco.products
    if isinstance(products, list):
        products = labels = labelled(dict.fromkeys(products, 0.0), eco.products, where).index
    elif products != "all":
        raise ProblemError(f"{where} = {products!r}: expected 'all' or a list of products")
    return Storage(
        products=products,
        loss=_numbers(scenario, table.loss, labels, "storage.loss", fill=0.0),
        initial=_numbers(scenario, table.initial, labels, "storage.initial"),
        terminal=_numbers(scenario, table.terminal, labels, "storage.terminal", words=("none", "keep")),
    )


def _numbers(
    scenario: Scenario, value: Any, labels: pd.Index, key: str, fill: float | None = None, words: tuple[str, ...] = ()
) -> Any:
    """A number or word as it is; a table or a file of numbers as a Series, with ``fill`` for what it leaves out."""
    if value is None or isinstance(value, int | float) or value in words:
        return value
    if isinstance(value, str):
        if not value.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")):
            known = ", ".join(repr(word) for word in words)
            raise ProblemError(
                f"{scenario.path}, {key} = {value!r}: expected a file" + (f" or {known}" if words else "")
            )
        return scenario.column(value, labels, key, fill=fill)
    found = labelled(value, labels, f"{scenario.path}, {key}")
    return found if fill is None else found.reindex(labels, fill_value=fill)


def with_capacities(eco: Economy, listed: pd.Series | None) -> Economy:
    """The economy with the scenario's capacities in place of its own."""
    if listed is None or eco.capacities is None:
        return eco
    values = eco.capacities.to_numpy().copy()
    values[eco.techniques.get_indexer(listed.index)] = listed.to_numpy()
    return eco.replace(capacities=pd.Series(values, eco.techniques))


# ---- regions ---------------------------------------------------------------------------------------------------------
def joined(scenario: Scenario, economy: Economy | None = None) -> Economy:
    """The regions of a scenario as one economy: those of a multi-regional table, or economies read one by one."""
    from ..modelling.regions import regions_of
    from ..modelling.trade import join_regions

    table = scenario.document.regions
    assert table is not None
    if economy is not None:
        regions, observed = regions_of(economy)
    else:
        regions, observed = {}, None
        for name, source in (table.economies or {}).items():
            regions[name] = load_economy(scenario.beside(source))
    name = scenario.name if economy is None else economy.name
    world = join_regions(regions, _trade(scenario, regions, observed), name)
    # The trade of the base year is part of its use, also where none is allowed.
    return world if economy is None else world.replace(reference_use=world.use(world.activity))


def _trade(scenario: Scenario, regions: dict[str, Economy], observed: pd.Series | None) -> Trade | None:
    from ..modelling.trade import Trade

    table = scenario.document.trade
    if table is None:
        return None
    products = next(iter(regions.values())).products
    limits: dict[tuple[str, str], pd.Series] | None = None
    if table.at_most is not None and observed is not None:
        limits = {}
        for key, flows in observed.groupby(level=[0, 1]):
            source, target = key  # type: ignore[misc,str-unpack]
            limits[str(source), str(target)] = flows.droplevel([0, 1]) * table.at_most
    where = f"{scenario.path}, trade"
    return Trade(
        goods="all"
        if table.goods == "all"
        else [find_label(text, products, f"{where}.goods") for text in _listed(table.goods)],
        observed=observed,
        observed_only=table.observed_only,
        limits=limits,
        pairs=None if table.pairs is None else [(pair[0], pair[1]) for pair in table.pairs],
        transport=_transport(scenario, table, products),
        carrier=None if table.carrier is None else find_label(table.carrier, products, f"{where}.carrier"),
        prices=_numbers(scenario, table.prices, products, "trade.prices"),
        home_share=table.home_share,
    )


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _transport(scenario: Scenario, table: TradeTable, products: pd.Index) -> dict[tuple[str, str], pd.Series] | None:
    """(from, to) -> transport per unit shipped, from a file with columns from, to, product and amount."""
    if table.transport is None:
        return None
    listed = scenario.table(table.transport, "trade.transport", levels=3)
    where = f"{scenario.path}, trade.transport: {table.transport}"
    found = {}
    pair: Any
    for pair, rows in listed.groupby(level=[0, 1]):
        amounts = dict(zip(map(str, rows.index.get_level_values(2)), rows.iloc[:, 0], strict=True))
        found[str(pair[0]), str(pair[1])] = labelled(amounts, products, where)
    return found


# ---- limits ----------------------------------------------------------------------------------------------------------
def written_limits(scenario: Scenario, eco: Economy) -> dict[str, LimitTable]:
    """The limits of a scenario, one for each region where it says so, and what [trade] says of the balance."""
    from ..modelling.trade import GROSS_IMPORTS, NET_IMPORTS

    limits: dict[str, LimitTable] = {}
    for name, given in scenario.document.limits.items():
        table = given if isinstance(given, LimitTable) else LimitTable(at_most=given)
        if table.per is None:
            limits[name] = table
            continue
        indicator = table.indicator or name
        if indicator not in (NET_IMPORTS, GROSS_IMPORTS):  # which regions have and their sum has not
            indicator = eco.indicator_name(indicator)
        for region in _regions(eco):
            limits[f"{name} in {region}"] = table.model_copy(update={"indicator": f"{indicator} in {region}"})
    trade = scenario.document.trade
    if trade is None or trade.balance == "free":
        return limits
    observed = eco.use(eco.activity)
    demanded = eco.final_demand.sum(axis=1).groupby(level=0).sum()
    for region in _regions(eco):
        name = f"net imports in {region}"
        most = trade.debt * float(demanded[region])
        if trade.balance == "observed":
            most += max(float(observed[name]), 0.0)
        limits[name] = LimitTable(at_most=most)
    return limits


def _regions(eco: Economy) -> list[Any]:
    return list(dict.fromkeys(eco.products.get_level_values(0)))


def years_as_numbers(limit: LimitTable) -> dict[str, Any]:
    """Bounds by year with numbers as keys; TOML has only text."""
    given = {side: getattr(limit, side) for side in SIDES}
    return {
        side: {year_of(year, f"limits, {side}"): value for year, value in bound.items()}
        for side, bound in given.items()
        if isinstance(bound, dict)
    }


def shares_of(scenario: Scenario) -> dict[Any, float] | None:
    """Weights of the baskets of [objective] each, by year or by another label."""
    table = scenario.document.objective
    if table.shares is None or table.each != "year":
        return None if table.shares is None else dict(table.shares)
    return {year_of(year, f"{scenario.path}, objective.shares"): float(share) for year, share in table.shares.items()}
