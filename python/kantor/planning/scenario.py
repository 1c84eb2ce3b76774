"""Scenario files: a plan written in TOML, read strictly, and turned into an economy and a Plan.

::

    name = "Two per cent more labour, five per cent less greenhouse gas"

    [economy]
    source = "us_useeio_2012_411"     # a data set's name, or a path (relative to this file)
    expand_to = 100000                # optional: exactly lumpable disaggregation

    [targets]
    final_demand = "2012_US_Consumption_Domestic"      # a category, "total", or a CSV file: product, amount

    [objective]
    kind = "harmony"                  # kantor.planning.grammar_objective.KINDS
    weights = "weights.csv"           # optional: product, weight

    [limits.ghg]
    indicator = "GHG"                 # optional: by default the limit's own name
    at_most = "-10%"
    soft = 0.01                       # optional: the price of a unit beyond, in units of the objective

    [capacities]                      # optional: technique = largest activity; or file = "capacities.csv"
    "221100" = 3.5e11

    [[technique]]                     # optional: another way to make a product
    product = "221100"
    name = "wind power"
    inputs = { "333611" = 0.08 }
    intensities = { JOBS = 2.0e-6 }

    [horizon]                         # optional: several years, with [capital] and [storage]
    years = 5

    [regions]                         # optional: a multi-regional table as regions, with [trade] between them

    [solve]
    tolerance = 1e-6

Every wrong key or value is a ProblemError that names the file, the table and the nearest right key.
This module reads and builds; it does not solve, and the verifier uses it only to read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data.datasets import load_economy, packaged_scenarios
from ..data.economy import Economy, Source
from ..data.forms import is_form
from ..data.labels import show
from ..data.tables import TableReader
from ..errors import ProblemError, suggest
from .grammar import Document, ForecastTable, IndicatorTable, TechniqueTable, check_document
from .grammar_objective import ObjectiveTable
from .inherit import whole
from .scenario_labels import by_label, find_label, labelled
from .scenario_model import horizon_of, joined, with_capacities

if TYPE_CHECKING:
    from ..modelling.horizon import Horizon
    from .combined import Held
    from .plan import Plan


@dataclass(frozen=True)
class Scenario:
    """A scenario file that was read: its path, its text word for word, and the checked document."""

    path: Path
    text: str
    document: Document
    files: dict[str, Source] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The plan's name: the file's ``name``, else the file's stem."""
        return self.document.name or self.path.stem

    def economy(self, number: int = 1, held: Sequence[Held] = ()) -> Economy:
        """The economy of the plan, read from its files: with all its years, regions, baskets and soft limits.

        Of an order of priority that of objective ``number``, held to what those before it reached.
        """
        if not (self.document.enlarged or self.document.restated):
            return self.single
        from .scenario_objective import written_of

        return written_of(self, number, held).economy

    @cached_property
    def single(self) -> Economy:
        """The economy of one year: techniques and regions as the scenario says, expanded if it says so."""
        table = self.document.economy
        if table.source is None:
            economy = joined(self)
        else:
            economy = self._read(table.source)
            if self.document.regions is not None:
                economy = joined(self, economy)
        for technique in self.document.technique:
            economy = self._with_technique(economy, technique)
        for name, made in self.document.indicators.items():
            economy = self._with_indicator(economy, name, made)
        if self.document.enlarged:
            economy = with_capacities(economy, self.capacities(economy))
        if table.expand_to is not None:
            from ..data.generators import expand

            if self.document.technique or self.document.capacities:
                raise ProblemError(f"{self.path}: expand_to cannot be combined with [[technique]] or [capacities]")
            economy = expand(economy, products=table.expand_to, seed=table.seed, cover=table.cover, kmax=table.kmax)
        return economy

    def _read(self, source: str) -> Economy:
        table = self.document.economy
        options: dict[str, Any] = {key: self.beside(value) for key, value in table.options.items()}
        options |= {key: getattr(table, key) for key in ("year", "assumption") if getattr(table, key) is not None}
        economy = load_economy(self.beside(source), **options)
        if table.technology is not None:
            economy = economy.with_technology(table.technology)
        return economy.for_demand(self.document.targets.final_demand)

    def horizon(self, economy: Economy) -> Horizon | None:
        """The years of the plan; None if it has one year and nothing that needs years."""
        return horizon_of(self, economy) if self.document.several_years else None

    def beside(self, text: str) -> str:
        """The path relative to this file if there is one, else the text itself: an absolute path or a name."""
        beside = self.path.parent / text
        return str(beside) if text and beside.exists() else text

    def _with_indicator(self, economy: Economy, name: str, table: IndicatorTable) -> Economy:
        """One more indicator; over regions, one more in each of them as well."""
        parts = [""]
        if self.document.regions is not None:
            parts += [f" in {region}" for region in dict.fromkeys(economy.products.get_level_values(0))]
        try:
            for part in parts:
                of = {f"{k}{part}": weight for k, weight in economy.by_indicator(table.of).items()}
                economy = economy.with_indicator(name + part, of, table.unit)
        except ProblemError as error:
            raise ProblemError(f"{self.path}, [indicators.{name}]: {error}") from None
        return economy

    def _with_technique(self, economy: Economy, table: TechniqueTable) -> Economy:
        find = lambda text: find_label(text, economy.products, f"{self.path}, [[technique]] {table.name!r}")  # noqa: E731
        options: dict[str, Any] = {} if table.capacity is None else {"capacity": table.capacity}
        if table.like is not None:
            options["like"] = find_label(table.like, economy.techniques, f"{self.path}, [[technique]] {table.name!r}")
        inputs = {find(text): amount for text, amount in table.inputs.items()}
        return economy.with_technique(find(table.product), table.name, inputs, dict(table.intensities), **options)

    def targets(self, economy: Economy) -> Any:
        """What Plan takes as targets: the name of a category, or a Series or table of years from a CSV file."""
        wanted = self.document.targets.final_demand
        if self.document.targets.forecast is not None:
            return self._expected(economy, self.document.targets.forecast)
        if not _is_file(wanted):
            return wanted
        if self.document.several_years:
            table = self.table(wanted, "targets.final_demand")
            if all(str(column).isdigit() for column in table.columns):
                return by_label(table, economy.products, f"{self.path}, targets.final_demand: {wanted}")
        return self.column(wanted, economy.products, "targets.final_demand", fill=0.0)

    def _expected(self, economy: Economy, asked: ForecastTable) -> Any:
        """Targets from past demand: of one period, or of every year of the plan."""
        from ..analysis.expected import expected_targets

        where = f"{self.path}, targets.forecast"
        if self.document.targets.final_demand != "total":
            raise ProblemError(f"{where}: stands in the place of final_demand; leave one of them out")
        table = self.table(asked.history, "targets.forecast.history", levels=economy.products.nlevels)
        horizon = self.horizon(economy)
        years = (0,) if horizon is None else horizon.named(economy)
        try:
            found = expected_targets(table, asked.ahead, len(years), asked.method, asked.season, asked.risk)
        except ProblemError as error:
            raise ProblemError(f"{where}: {error}") from None
        found = by_label(found.set_axis(list(years), axis=1), economy.products, f"{where}: {asked.history}")
        return found[0].rename("target") if horizon is None else found

    def weights(self, economy: Economy, table: ObjectiveTable | None = None) -> Any:
        """Weights of the objective, or of one member of it: None, a number, or a Series by product.

        With ``expand_to`` weights are those of the sectors, and in a utility the products of a sector share its weight
        as they share its output, so that the expanded plan adds up to the plan of the sectors.
        """
        table = self.document.objective if table is None else table
        written, expansion = table.weights, economy.expansion
        labels = economy.products if expansion is None else expansion.sectors
        given: Any = written
        if isinstance(written, str):
            given = self.column(written, labels, "objective.weights")
        elif isinstance(written, dict):
            given = labelled(written, labels, f"{self.path}, objective.weights")
        if expansion is None:
            return given
        by_sector = given if isinstance(given, pd.Series) else pd.Series(1.0 if given is None else given, labels)
        weights = by_sector.reindex(labels, fill_value=1.0).to_numpy()[expansion.parent]
        if table.kind != "max-scale":
            weights = weights * expansion.share
        return pd.Series(weights, economy.products)

    def capacities(self, economy: Economy) -> pd.Series | None:
        """Largest activity by technique, from the table or its file; None if the scenario has none."""
        given = {key: value for key, value in self.document.capacities.items() if not isinstance(value, dict)}
        if not given:
            return None
        file = given.pop("file", None)
        where = f"{self.path}, [capacities]"
        text = next((key for key, value in given.items() if isinstance(value, str)), None)
        if text is not None:
            raise ProblemError(f"{where}: {text!r} is {given[text]!r}, expected a number")
        named = labelled(given, economy.techniques, where)
        if file is None:
            return named
        if not isinstance(file, str):
            raise ProblemError(f"{where}: file is {file!r}, expected the path of a CSV file")
        listed = self.column(file, economy.techniques, "capacities.file")
        return pd.concat([listed.drop(named.index, errors="ignore"), named])

    def table(self, file: str, key: str, levels: int = 1) -> pd.DataFrame:
        """A CSV or Parquet table of numbers with ``levels`` columns of labels, as text; an input of the plan."""
        reader = TableReader(self.path.parent)
        try:
            table = reader.frame(file, levels=levels)
        except ProblemError as error:
            raise ProblemError(f"{self.path}, {key}: {error}") from error
        self.files[file] = reader.sources[0]
        return table

    def column(self, file: str, labels: pd.Index, key: str, fill: float | None = None) -> pd.Series:
        """Two columns of a CSV file, label and number, as a Series; ``fill`` is the value of labels left out."""
        where = f"{self.path}, {key}"
        reader = TableReader(self.path.parent)
        try:
            table = reader.frame(file, levels=labels.nlevels)
        except ProblemError as error:
            raise ProblemError(f"{where}: {error}") from error
        if table.shape[1] != 1:
            raise ProblemError(f"{where}: {file} has {table.shape[1]} columns of numbers, expected one")
        self._check_header(table, labels, key, f"{where}: {file}")
        self.files[file] = reader.sources[0]
        texts = [show(label) for label in table.index]
        found = labelled(dict(zip(texts, table.iloc[:, 0], strict=True)), labels, f"{where}: {file}")
        return found if fill is None else found.reindex(labels, fill_value=fill)

    def _check_header(self, table: pd.DataFrame, labels: pd.Index, key: str, where: str) -> None:
        """The columns are called what they hold, so that a file made for something else is not taken by mistake."""
        what, amount = _HEADERS[key]
        levels = [str(name) for name in labels.names if name is not None]
        known = [what] if labels.nlevels == 1 else []
        for name in table.index.names:
            if name is not None and name not in known + levels:  # spreadsheets often leave that corner empty
                words = " or ".join(dict.fromkeys(repr(word) for word in known + levels)) or "a name of labels"
                raise ProblemError(
                    f"{where}: column {name!r} should hold labels and be called {words}{suggest(name, known + levels)}"
                )
        if table.columns[0] != amount:
            raise ProblemError(
                f"{where}: column {table.columns[0]!r} should hold numbers and be called {amount!r}"
                + suggest(table.columns[0], [amount])
            )

    def to_record(self) -> dict[str, Any]:
        """What a plan folder keeps: path, text word for word, and the document with every default filled in."""
        return {"path": str(self.path.resolve()), "text": self.text, "document": _plain(self.document.model_dump())}


# The columns of a scenario's CSV files: of labels (one level) and of numbers.
_HEADERS = {
    "targets.final_demand": ("product", "amount"),
    "objective.weights": ("product", "weight"),
    "capacities.file": ("technique", "capacity"),
    "horizon.growth": ("product", "growth"),
    "horizon.rise": ("technique", "rise"),
    "horizon.fall": ("technique", "fall"),
    "horizon.minimum": ("technique", "minimum"),
    "capital.depreciation": ("asset", "depreciation"),
    "capital.initial": ("asset", "initial"),
    "capital.terminal": ("asset", "terminal"),
    "storage.loss": ("product", "loss"),
    "storage.initial": ("product", "initial"),
    "storage.terminal": ("product", "terminal"),
    "trade.prices": ("product", "price"),
}


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file, or the packaged one of that name.

    An economy written by people (a text, a workbook, a folder of CSV files) is a scenario by itself: its targets are
    wanted in as large a scale as its limits and capacities allow.

    Raises ProblemError for a missing file, text that is no TOML, a wrong key (with the nearest right one) or value.
    """
    file = Path(path).expanduser()
    if file.exists() and is_form(file):
        file = file if file.name not in ("", "..") else file.resolve()
        return parse_scenario(f"[economy]\nsource = {json.dumps(file.name, ensure_ascii=False)}\n", file)
    if file.is_dir():
        raise ProblemError(
            f"{path}: a folder, but no economy in CSV files as 'kantor template' writes them; a scenario is a TOML "
            f"file, and for this table at least [economy] with source = {file.name!r}"
        )
    packaged = packaged_scenarios()
    if not file.exists() and str(path) in packaged:
        file = packaged[str(path)]
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        known = suggest(path, packaged) if packaged else ""
        raise ProblemError(f"cannot read the scenario {path}: {error.strerror or error}{known}") from error
    except UnicodeDecodeError as error:
        raise ProblemError(f"{path}: not a text file in UTF-8 ({error.reason})") from error
    return parse_scenario(text, file)


def parse_scenario(text: str, path: Path) -> Scenario:
    """The scenario in ``text``; ``path`` is for messages and for files beside it."""
    tables, files = whole(text, path)
    return Scenario(path, text, check_document(tables, path), dict(files))


def build(scenario: Scenario) -> Plan:
    """The Plan of a scenario; ``plan.scenario`` remembers where it comes from."""
    from .plan import Plan
    from .scenario_objective import limits_of, objective_of

    economy = scenario.single
    plan = Plan(
        economy,
        targets=scenario.targets(economy),
        objective=objective_of(scenario, economy),
        limits=limits_of(scenario, economy),
        capacities=None if scenario.document.enlarged else scenario.capacities(economy),
        name=scenario.name,
        horizon=scenario.horizon(economy),
    )
    plan.scenario = scenario
    return plan


def _plain(value: Any) -> Any:
    """A value for JSON, which knows no infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _is_file(text: str) -> bool:
    return text.lower().endswith((".csv", ".csv.gz"))
