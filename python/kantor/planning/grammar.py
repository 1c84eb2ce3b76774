"""The grammar of scenario files: their tables as strict models, and errors that say where and what instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic

from ..errors import ProblemError, suggest
from .grammar_objective import UTILITIES, Number, ObjectiveTable, Table, check_objective


class EconomyTable(Table):
    """[economy]: what is planned, unless [regions] names it; ``year``, ``assumption``, ``options`` go to load_economy.

    ``options`` is for a source that is one square table: table, demand, output, factors, intensities (files relative to
    this one), name, unit. ``expand_to`` products by kantor.data.generators.expand with ``seed``, ``cover``, ``kmax``.
    """

    source: str | None = None
    year: int | None = None
    technology: str | None = None
    assumption: str | None = None
    options: dict[str, str] = pydantic.Field(default_factory=dict)
    expand_to: int | None = pydantic.Field(default=None, gt=0)
    seed: int = pydantic.Field(default=1, ge=0)
    cover: float = pydantic.Field(default=0.9, gt=0, le=1)
    kmax: int = pydantic.Field(default=2, ge=1)


class ForecastTable(Table):
    """[targets.forecast]: past demand, and with what probability the plan is to suffice."""

    history: str
    method: str = "auto"
    season: int = pydantic.Field(default=1, ge=1)
    ahead: int = pydantic.Field(default=1, ge=1)
    risk: float | None = pydantic.Field(default=None, gt=0, lt=1)


class TargetsTable(Table):
    """[targets]: what is wanted: a demand category, "total", or a CSV file (of one year, or with a column a year).

    ``forecast`` stands in their place.
    """

    final_demand: str = "total"
    forecast: ForecastTable | None = None


class LimitTable(Table):
    """[limits.NAME]: at_most and at_least, as kantor.planning.limits reads them, or tables year = bound."""

    indicator: str | None = None
    at_most: float | str | dict[str, float | str] | None = None
    at_least: float | str | dict[str, float | str] | None = None
    unit: str | None = None
    over: str = "each"
    per: str | None = None
    soft: Number | None = pydantic.Field(default=None, gt=0)


class TechniqueTable(Table):
    """[[technique]]: another way to make a product; see Economy.with_technique."""

    product: str
    name: str
    inputs: dict[str, Number] = pydantic.Field(default_factory=dict)
    intensities: dict[str, Number] = pydantic.Field(default_factory=dict)
    capacity: float | None = pydantic.Field(default=None, ge=0)
    like: str | None = None


# A number for all, numbers by label, or a CSV file with a column of labels and one of numbers.
Numbers = Number | dict[str, Number] | str


class HorizonTable(Table):
    """[horizon]: the years of the plan and what links one to the next; see kantor.Horizon."""

    years: int = pydantic.Field(default=1, ge=1)
    first: int | None = None
    growth: Numbers = 0.0
    discount: Number = 0.0
    input_lag: int = pydantic.Field(default=0, ge=0)
    rise: Numbers | None = None
    fall: Numbers | None = None
    minimum: dict[str, Number] | str | None = None


class CapitalTable(Table):
    """[capital]: what must stand for production; see kantor.Capital. Files are tables, relative to this file."""

    requirements: str | None = None
    composition: str | dict[str, str] | None = None
    stocks: str | None = None
    depreciation: Numbers | None = None
    initial: dict[str, Number] | str = "base"
    gestation: int = pydantic.Field(default=1, ge=1)
    terminal: dict[str, Number] | str = "keep"
    growth: Number = 0.0
    intensities: str | dict[str, str] | None = None


class StorageTable(Table):
    """[storage]: products that keep from one year to the next; see kantor.Storage."""

    products: str | list[str] = "all"
    loss: Numbers = 0.0
    initial: dict[str, Number] | str | None = None
    terminal: dict[str, Number] | str = "none"


class RegionsTable(Table):
    """[regions]: the regions of a multi-regional table, or economies named here; without [trade] each for itself."""

    economies: dict[str, str] | None = None


class IndicatorTable(Table):
    """[indicators.NAME]: one more indicator, a weighted sum of others; see Economy.with_indicator."""

    of: dict[str, Number]
    unit: str = ""


class TradeTable(Table):
    """[trade]: shipments between the regions as decisions; see kantor.Trade."""

    goods: str | list[str] = "all"
    observed_only: bool = False
    at_most: Number | None = pydantic.Field(default=None, ge=0)
    pairs: list[list[str]] | None = None
    transport: str | None = None
    carrier: str | None = None
    prices: Numbers = 1.0
    balance: str = "free"
    debt: Number = pydantic.Field(default=0.0, ge=0)
    home_share: Number | dict[str, Number] = 0.0


class SolveTable(Table):
    """[solve]: arguments of Plan.solve; the command line overrides them."""

    tolerance: float = pydantic.Field(default=1e-6, gt=0, lt=1)
    method: str = "auto"
    backend: str = "auto"
    time_limit_s: float | None = pydantic.Field(default=None, gt=0)
    iteration_limit: int | None = pydantic.Field(default=None, ge=0)
    vertex: bool = False


class Document(Table):
    """The whole file."""

    name: str | None = None
    description: str | None = None
    economy: EconomyTable
    targets: TargetsTable = TargetsTable()
    objective: ObjectiveTable = ObjectiveTable()
    limits: dict[str, LimitTable | float | str] = pydantic.Field(default_factory=dict)
    capacities: dict[str, float | str] = pydantic.Field(default_factory=dict)
    technique: list[TechniqueTable] = pydantic.Field(default_factory=list)
    indicators: dict[str, IndicatorTable] = pydantic.Field(default_factory=dict)
    horizon: HorizonTable = HorizonTable()
    capital: CapitalTable | None = None
    storage: StorageTable | None = None
    regions: RegionsTable | None = None
    trade: TradeTable | None = None
    solve: SolveTable = SolveTable()

    @property
    def several_years(self) -> bool:
        """Whether the plan has a horizon: years, or what only a horizon knows."""
        return self.horizon != HorizonTable() or self.capital is not None or self.storage is not None

    @property
    def enlarged(self) -> bool:
        """Whether the plan's economy is larger than the one that is read: years, or baskets delivered one by one."""
        return self.several_years or self.objective.each is not None

    @property
    def restated(self) -> bool:
        """Whether objectives or soft limits add goods and techniques of their own."""
        return self.objective.is_made or any(limit.soft is not None for _, limit in _limit_tables(self))


def check_document(raw: dict[str, Any], path: Path) -> Document:
    """The checked document of TOML tables; ``path`` is for messages. ProblemError for whatever it may not hold."""
    try:
        document = Document.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ProblemError(_explain(path, error)) from None
    check_objective(path, document.objective)
    _check_words(path, document)
    _check_what_needs_years(path, document)
    return document


def _check_words(path: Path, document: Document) -> None:
    """Words that are one of a few, and keys that only make sense with others."""
    named = document.regions is not None and document.regions.economies is not None
    if document.economy.source is None and not named:
        raise ProblemError(f"{path}, [economy]: 'source' is missing")
    if document.economy.source is not None and named:
        raise ProblemError(f"{path}: [regions] economies are the economy; leave out [economy] source")
    choices: list[tuple[str, str | None, tuple[str | None, ...]]]
    choices = [(f"[limits.{name}] over", limit.over, ("each", "total")) for name, limit in _limit_tables(document)]
    choices += [(f"[limits.{name}] per", limit.per, (None, "region")) for name, limit in _limit_tables(document)]
    if document.trade is not None:
        choices.append(("[trade] balance", document.trade.balance, BALANCES))
    for what, got, known in choices:
        if got not in known:
            words = [word for word in known if word is not None]
            raise ProblemError(f"{path}: {what} = {got!r} is unknown; expected {' or '.join(map(repr, words))}")
    if document.trade is not None and document.regions is None:
        raise ProblemError(f"{path}: [trade] needs [regions]; an empty table splits a multi-regional table")
    per = [name for name, limit in _limit_tables(document) if limit.per is not None]
    if per and document.regions is None:
        raise ProblemError(f"{path}: [limits.{per[0]}] per = 'region' needs [regions]")
    trade, capital = document.trade, document.capital
    if trade is not None and trade.at_most is not None and not trade.observed_only:
        raise ProblemError(f"{path}: [trade] at_most is a multiple of observed shipments; set observed_only = true")
    if trade is not None and trade.balance == "free" and trade.debt:
        raise ProblemError(f"{path}: [trade] debt is beyond balance = 'balanced' or 'observed'; 'free' has no limit")
    if trade is not None and trade.pairs is not None and any(len(pair) != 2 for pair in trade.pairs):
        raise ProblemError(f"{path}: [trade] pairs: expected pairs of regions, as [['north', 'south']]")
    if capital is not None and (capital.requirements is None) == (capital.stocks is None):
        raise ProblemError(
            f"{path}: [capital] needs either requirements with composition, or stocks (products x techniques)"
        )
    if capital is not None and (capital.requirements is None) != (capital.composition is None):
        raise ProblemError(f"{path}: [capital] requirements and composition belong together, stocks has neither")
    if capital is not None and capital.depreciation is None:
        raise ProblemError(
            f"{path}: [capital] depreciation is missing, the share of an asset lost each year; write depreciation = "
            "0 if "
            "nothing wears out"
        )
    _check_soft(path, document)


def _check_soft(path: Path, document: Document) -> None:
    """A soft limit is paid for in units of the objective, which utilities and baskets one by one do not have."""
    objective = document.objective
    for name, limit in _limit_tables(document):
        where = f"{path}: [limits.{name}] soft"
        if limit.soft is None:
            continue
        odd = next((member.kind for member in objective.members if member.kind in UTILITIES), None)
        if odd is not None:
            raise ProblemError(f"{where} cannot be priced in units of kind = {odd!r}; use 'max-scale', or a hard limit")
        if objective.each is not None:
            raise ProblemError(f"{where} cannot be combined with [objective] each; use one scale, or a hard limit")


def _check_what_needs_years(path: Path, document: Document) -> None:
    """Bounds by year, totals over years and the discount of years, where there are no years."""
    if document.several_years:
        if document.economy.expand_to is not None:
            raise ProblemError(f"{path}: expand_to plans one year; leave out [horizon], [capital] and [storage]")
        return
    for name, limit in _limit_tables(document):
        if limit.over == "total" or isinstance(limit.at_most, dict) or isinstance(limit.at_least, dict):
            raise ProblemError(f"{path}: [limits.{name}] speaks of years; [horizon] years says how many there are")


def _limit_tables(document: Document) -> list[tuple[str, LimitTable]]:
    return [(name, limit) for name, limit in document.limits.items() if isinstance(limit, LimitTable)]


BALANCES = ("free", "balanced", "observed")


def _explain(path: Path, error: pydantic.ValidationError) -> str:
    """The first error in words: file, table, key, what was got, what was expected."""
    every = error.errors(include_url=False)
    # A misspelt key also makes a missing one: the misspelling is the cause.
    first = next((item for item in every if item["type"] == "extra_forbidden"), every[0])
    # pydantic adds the tried type of a union to the place; those are no keys of the file
    place = [str(part) for part in first["loc"] if str(part) not in _UNION_TAGS and "[" not in str(part)]
    if first["type"] == "extra_forbidden":
        table, key = place[:-1], place[-1]
        return f"{path}{_shown_table(table)}: unknown key {key!r}{suggest(key, _keys(table))}"
    if first["type"] == "missing":
        return f"{path}{_shown_table(place[:-1])}: {place[-1]!r} is missing"
    expected = first["msg"].removeprefix("Input should be ")
    if first["type"] in ("model_type", "model_attributes_type"):
        expected = "a table, or a number or text for at_most" if place[0] == "limits" else "a table"
    return f"{path}{_shown_table(place[:-1])}: {place[-1]} = {first['input']!r}, expected {expected}"


_UNION_TAGS = {
    "LimitTable",
    "float",
    "str",
    "constrained-float",
    "function-wrap",
}


def _shown_table(parts: list[str]) -> str:
    names = [part for part in parts if not part.isdigit()]
    number = f" number {int(parts[-1]) + 1}" if parts[-2:-1] == ["objectives"] and parts[-1].isdigit() else ""
    return f", [{'.'.join(names)}]{number}" if names else ""


def _keys(table: list[str]) -> list[str]:
    """The keys a table of the file may have."""
    models: dict[str, type[Table]] = {
        "economy": EconomyTable,
        "targets": TargetsTable,
        "forecast": ForecastTable,
        "objective": ObjectiveTable,
        "limits": LimitTable,
        "technique": TechniqueTable,
        "horizon": HorizonTable,
        "capital": CapitalTable,
        "storage": StorageTable,
        "regions": RegionsTable,
        "trade": TradeTable,
        "solve": SolveTable,
    }
    model = models[table[0]] if table else Document
    return list(model.model_fields)
