"""Economy: one labelled table of techniques, what they make, use and need, and what people finally demand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError, suggest
from .cells import Cells, in_blocks
from .economy_checks import check_frames, check_series, check_technologies
from .labels import aligned, as_index, resolve, resolve_keys, show
from .matrix import as_csr, is_identity
from .origin import Expansion as Expansion
from .origin import Source as Source
from .sparse_table import Intensities, SparseTable


@dataclass(frozen=True, eq=False, repr=False)
class Economy:
    """A labelled economy of n products and m techniques. Arrays are constants; ``with_...`` methods return copies.

    Parameters
    ----------
    name : str
    products : Index (n,), a MultiIndex (region, sector) for a multi-regional table
    techniques : Index (m,); equal to ``products`` for a square table
    output_coefficients : sparse (n, m), B >= 0: units of product i made per unit of activity of technique j
    input_coefficients : sparse (n, m), A: units of product i used per unit of activity; real tables hold a few
        negative entries (by-products, scrap); over several years kept in blocks until it is read
    intensities : DataFrame indicators x techniques, S: use of labour, emissions, ... per unit of activity; kept
        sparse (``intensity_matrix``, ``indicators``), written out when it is read, and may be given as a SparseTable
    final_demand : DataFrame products x categories, Y; the categories may be a MultiIndex (region, category)
    activity : Series (m,): observed activity of the base year (gross output x if the table is square)
    capacities : Series (m,): upper bounds on activity, inf where there is none; None: no bounds
    limits : indicator or alias -> (least, most) total use, infinite where there is none: what the economy itself has of
        labour, land, ...; a plan keeps to them unless its own limits speak of the same indicator
    unit : unit of products and activity, one for all or a Series over products
    indicator_units : Series over indicators
    aliases : other names of indicators, e.g. {"labour": "JOBS"}
    technologies : alternative tables of input coefficients, e.g. {"total": A, "domestic": A_d}
    technology : the one in ``input_coefficients``
    demand_technology : category -> technology it belongs to
    total_categories : technology -> category that is its whole final demand; without one the categories add up to it
    product_names : Series over products with readable names; None: the labels themselves
    reference_use : Series over indicators: the use that percentages of limits refer to, and with it the activity above
        as base plan; None: the use of the plan that delivers the targets with the base technology
    expansion : set by ``expand``
    sources, notes : files read, and what the reader found or did

    Raises
    ------
    ProblemError
        an empty table, shapes or labels that do not fit, a NaN or infinite entry (row and column are named).

    >>> import numpy as np
    >>> eco = Economy.from_iot(A=np.array([[0.5, 0.1], [0.2, 0.4]]), Y=[30.0, 10.0], labels=["wheat", "cloth"])
    >>> eco.base_plan([30.0, 10.0]).round(6).tolist()
    [67.857143, 39.285714]
    """

    name: str
    products: pd.Index
    techniques: pd.Index
    output_coefficients: Any
    input_coefficients: Any
    intensities: Any
    final_demand: pd.DataFrame
    activity: pd.Series
    capacities: pd.Series | None = None
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    unit: str | pd.Series = ""
    indicator_units: pd.Series | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    technologies: dict[str, Any] = field(default_factory=dict)
    technology: str | None = None
    demand_technology: dict[str, str] = field(default_factory=dict)
    total_categories: dict[str, str] = field(default_factory=dict)
    product_names: pd.Series | None = None
    reference_use: pd.Series | None = None
    expansion: Expansion | None = None
    year: int | None = None
    licence: str = ""
    sources: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    # ---- validation --------------------------------------------------------------------------------------------
    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 - frozen dataclass
        products = as_index(self.products, "products")
        same = self.techniques is self.products or (
            isinstance(self.techniques, pd.Index) and self.techniques.equals(products)
        )
        techniques = products if same else as_index(self.techniques, "techniques")
        if len(products) == 0 or len(techniques) == 0:
            raise ProblemError(f"empty table: {len(products)} products and {len(techniques)} techniques")
        put("products", products)
        put("techniques", techniques)
        output = as_csr(self.output_coefficients, products, techniques, "output coefficients")
        if output.nnz and output.data.min() < 0:
            at = output.tocoo()
            i = int(np.argmin(at.data))
            raise ProblemError(
                f"output coefficients: technique {show(techniques[at.col[i]])!r} makes {float(at.data[i])!r} of "
                f"{show(products[at.row[i]])!r}; expected no negative output (enter it as an input)"
            )
        put("output_coefficients", output)
        inputs = _INPUTS.kept(self)
        if not (in_blocks(inputs) and inputs.shape == (len(products), len(techniques))):
            put("input_coefficients", as_csr(self.input_coefficients, products, techniques, "input coefficients"))
        check_technologies(self, put)
        check_frames(self, put)
        check_series(self, put)
        put("sources", list(self.sources))
        put("notes", list(self.notes))

    # ---- sizes and usual letters -----------------------------------------------------------------------------------
    @property
    def n_goods(self) -> int:
        """Number of products n."""
        return len(self.products)

    @property
    def n_techniques(self) -> int:
        """Number of techniques m."""
        return len(self.techniques)

    @property
    def is_square(self) -> bool:
        """True if every product has exactly one technique, of the same label, that makes one unit of it alone."""
        return self.techniques is self.products and is_identity(self.output_coefficients)

    @property
    def indicators(self) -> pd.Index:
        """Labels of the indicators: labour, emissions, ..."""
        kept: SparseTable = Intensities.kept(self)
        return kept.index

    @property
    def intensity_matrix(self) -> sp.csr_array:
        """Intensities (indicators, m) as they are kept."""
        kept: SparseTable = Intensities.kept(self)
        return kept.matrix

    @property
    def A(self) -> sp.csr_array:
        """Input coefficients (n, m)."""
        return self.input_coefficients

    @property
    def S(self) -> pd.DataFrame:
        """Intensities, indicators x techniques."""
        return self.intensities

    @property
    def Y(self) -> pd.DataFrame:
        """Final demand, products x categories."""
        return self.final_demand

    @property
    def x(self) -> pd.Series:
        """Observed activity of the base year."""
        return self.activity

    @property
    def net_output(self) -> sp.csr_array:
        """B - A (n, m): what one unit of each technique adds to the stock of each product."""
        return sp.csr_array(self.output_coefficients - self.input_coefficients)

    @property
    def gross_output(self) -> pd.Series:
        """B x (n,): output of every product in the base year."""
        return pd.Series(self.output_coefficients @ self.activity.to_numpy(), self.products, name="gross output")

    @property
    def parent(self) -> np.ndarray | None:
        """After ``expand``: the sector number of each product; otherwise None."""
        return None if self.expansion is None else self.expansion.parent

    def readable_names(self) -> pd.Series:
        """A readable name for every product: ``product_names``, or the labels as text."""
        if self.product_names is not None:
            return self.product_names
        return pd.Series([show(label) for label in self.products], index=self.products, name="name", dtype=object)

    # ---- demand and indicators ---------------------------------------------------------------------------------------
    def demand(self, what: Any) -> pd.Series:
        """Final demand as a Series over all products, in their unit.

        ``what``: the name of a category, a region or kind of demand (all matching columns are added up), "total" (the
        whole final demand), a Series or mapping with a value for every product, or an array (n,).
        Raises ProblemError for unknown names or labels, and for a category that belongs to another technology.
        """
        from .demand import find_demand

        return find_demand(self, what)

    def technology_for(self, category: str) -> str | None:
        """The technology a demand category belongs to, or None if it fits any."""
        return self.demand_technology.get(category)

    def for_demand(self, what: Any) -> Economy:
        """The economy with the technology that ``what`` belongs to; else itself."""
        needed = self.technology_for(what) if isinstance(what, str) else None
        return self if needed is None or needed == self.technology else self.with_technology(needed)

    def indicator_name(self, name: str) -> str:
        """The label in ``intensities`` meant by a name or alias, without regard to case."""
        return str(resolve(name, self.indicators, self.aliases, "indicator"))

    def by_indicator(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` under the labels meant by its names or aliases; ProblemError where two of them mean the same."""
        return resolve_keys(given, self.indicators, self.aliases, "indicator")

    def indicator(self, name: str) -> pd.Series:
        """Use of one resource per unit of activity (m,): ``name`` is an indicator, or an alias such as "labour"."""
        label = self.indicator_name(name)
        return pd.Series(self.use_of([label]).toarray()[0], self.techniques, name=label)

    def use_of(self, names: Iterable[str]) -> sp.csr_array:
        """Use per unit of activity of several indicators, sparse (k, m), in the order of their names or aliases."""
        wanted = pd.Index([self.indicator_name(name) for name in names], dtype=object)
        return sp.csr_array(self.intensity_matrix[self.indicators.get_indexer(wanted)])

    def use(self, activity: Any) -> pd.Series:
        """Total use of every indicator at an activity (m,): S x, in ``indicator_units``."""
        x = aligned(activity, self.techniques, "activity")
        return pd.Series(self.intensity_matrix @ x, self.indicators, name="use")

    def base_plan(self, targets: Any) -> pd.Series:
        """Activity (m,) that delivers ``targets`` with the technology of the base year (kantor.data.base)."""
        from .base import base_plan

        return base_plan(self, targets)

    def base_use(self, targets: Any) -> pd.Series:
        """Use of every indicator when the base technology delivers ``targets``: what limits are set relative to."""
        return self.use(self.base_plan(targets)) if self.reference_use is None else self.reference_use.copy()

    def check_productive(self, tolerance: float = 1e-6) -> Any:
        """Proved bounds on the spectral radius, or who is at fault (kantor.data.base.productivity)."""
        from .base import productivity

        return productivity(self, tolerance)

    # ---- changed copies --------------------------------------------------------------------------------------------
    def replace(self, **changes: Any) -> Economy:
        """A copy with some fields changed, checked again."""
        changes.setdefault("intensities", Intensities.kept(self))  # as they are kept, not written out
        changes.setdefault("input_coefficients", _INPUTS.kept(self))
        return dataclasses.replace(self, **changes)

    def with_technology(self, name: str) -> Economy:
        """A copy that uses another of ``technologies``."""
        if name not in self.technologies:
            raise ProblemError(f"unknown technology {name!r}" + suggest(name, self.technologies))
        return (
            self
            if name == self.technology
            else self.replace(technology=name, input_coefficients=self.technologies[name])
        )

    def with_technique(self, product: Any, name: Any, inputs: Any, intensities: Any = None, **options: Any) -> Economy:
        """A copy with one more technique for a product; see kantor.data.technique.add_technique for the options."""
        from .technique import add_technique

        return add_technique(self, product, name, inputs, intensities, **options)

    def with_indicator(self, name: str, of: Mapping[str, float], unit: str = "") -> Economy:
        """A copy with one more indicator, a weighted sum of others (kantor.data.indicators.add_indicator)."""
        from .indicators import add_indicator

        return add_indicator(self, name, of, unit)

    def with_capacities(self, capacities: Any) -> Economy:
        """A copy with upper bounds on the activity of the techniques named in a Series or dict; others keep theirs."""
        from .technique import set_capacities

        return set_capacities(self, capacities)

    def aggregate(self, groups: Any = None, techniques: Any = None, *, name: str | None = None) -> Economy:
        """An economy of groups of products, added up; see kantor.data.aggregation.aggregate."""
        from .aggregation import aggregate

        return aggregate(self, groups, techniques, name=name)

    def split(self, sector: Any, parts: Any, **known: Any) -> Economy:
        """A copy with one sector divided into parts, in balance as before; see kantor.data.splitting.split."""
        from .splitting import split

        return split(self, sector, parts, **known)

    # ---- readers ---------------------------------------------------------------------------------------------------
    @classmethod
    def from_iot(cls, Z: Any = None, Y: Any = None, x: Any = None, F: Any = None, **options: Any) -> Economy:
        """From a square input-output table: flows Z or coefficients A, final demand Y; see kantor.data.iot.from_iot."""
        from .iot import from_iot

        return from_iot(Z=Z, Y=Y, x=x, F=F, **options)

    @classmethod
    def from_sut(cls, U: Any, V: Any, Y: Any = None, F: Any = None, **options: Any) -> Economy:
        """From use U (products x industries) and make V (industries x products); see kantor.data.sut.from_sut."""
        from .sut import from_sut

        return from_sut(U, V, Y, F, **options)

    @classmethod
    def from_mrio(cls, Z: Any = None, Y: Any = None, x: Any = None, F: Any = None, **options: Any) -> Economy:
        """From a multi-regional table labelled by (region, sector); see kantor.data.mrio.from_mrio."""
        from .mrio import from_mrio

        return from_mrio(Z=Z, Y=Y, x=x, F=F, **options)

    @classmethod
    def from_pymrio(cls, io: Any, **options: Any) -> Economy:
        """From a pymrio.IOSystem with its extensions; see kantor.data.pymrio_reader.from_pymrio."""
        from .pymrio_reader import from_pymrio

        return from_pymrio(io, **options)

    @classmethod
    def from_arrays(cls, input: Any, output: Any = None, **options: Any) -> Economy:
        """From rectangular tables of techniques; see kantor.data.arrays.from_arrays."""
        from .arrays import from_arrays

        return from_arrays(input=input, output=output, **options)

    # ---- words -----------------------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        size = f"{self.n_goods:,} products"
        if self.n_techniques != self.n_goods or not self.is_square:
            size += f", {self.n_techniques:,} techniques"
        year = f" {self.year}" if self.year is not None else ""
        return (
            f"<Economy {self.name!r}{year}: {size}, {_INPUTS.kept(self).nnz:,} inputs, "
            f"{len(self.indicators)} indicators, {self.final_demand.shape[1]} demand categories>"
        )

    def describe(self) -> str:
        """A few lines of text: size, units, indicators, demand categories, technologies, notes, licence."""
        from .describe import describe

        return describe(self)


# Set here, so that the dataclass sees a field without a default.
_INPUTS = Cells("input_coefficients")
Economy.intensities = Intensities()
Economy.input_coefficients = _INPUTS
