"""What a plan returns: labelled tables in the input's units, proved bounds, and what stands in the way of more.

Signs (docs/notation.md): prices and rents are >= 0 in both senses of optimisation. A price is what one unit of a
product is worth to the objective, a rent what one more unit of a limited resource would bring: more of a maximum, or
less of a minimum. For :class:`MaxScale` the optimum is the rents times the limits, and the basket is worth 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.labels import show
from ..errors import ProblemError
from ..solvers.leontief import values
from ..solvers.solution import NotOptimal, SolveInfo, Status
from .limits import ResolvedLimit
from .shown import Shown
from .weights import positions

if TYPE_CHECKING:
    from .plan import Plan
    from .vertex import PlanVertex

# A bound counts as reached when its relative slack is below this and it carries a rent (see bottlenecks).
_REACHED = 1e-4
_NEGLIGIBLE = 1e-9


@dataclass
class PlanResult(Shown):
    """A solved (or attempted) plan. What the tables hold depends on ``status``, see :class:`kantor.Status`.

    Attributes
    ----------
    status, objective, lower_bound, upper_bound, gap :
        the plan's value and rigorous bounds on the best possible one, in the objective's unit;
        ``gap = (upper - lower) / max(|upper|, |lower|)``, for utilities with 1 as a third in the maximum. NaN or
        infinite where there is none.
    surplus : where no plan exists, by how much what is asked for is worth more than all that limits it, at the stored
        prices and rents, which prove it; else NaN
    certified : whether both bounds are proved and within the tolerance. An optimal plan that is not certified satisfies
        the solver's tolerances only (``info.why`` says which side is unproved), and verify_plan will say so.
    activity : Series by technique, in the unit of its product or activity
    consumption : Series by product; for the largest scale t times the basket, for least use the targets
    prices : Series by product, objective per unit of product, >= 0
    rents, floor_rents : Series by limit, objective per unit of indicator, >= 0; of ``at_most`` and ``at_least``
    capacity_rents : Series by technique, objective per unit of activity, >= 0
    use : DataFrame, one row for each limit and then for every other indicator: ``indicator``, ``use``, ``base`` (by the
        base plan), ``at_least``, ``at_most``, ``share`` (use / at_most), ``rent`` (of whichever bound holds), ``unit``
    targets, capacities : what was asked for
    base : activity of the base plan by technique, None where there is none
    names : readable names by product, None where the labels are all there is
    unit : of products and activities, one text or a Series by product
    options : the arguments of the solve
    info : method, iterations, residuals, timings
    stages : results of the objectives before the last one in an order of priority
    vertex : the exact vertex, where ``Plan.solve(vertex=True)`` asked for one and found it (info.notes say why not)
    plan : the :class:`Plan` that was solved; None when loaded from a folder
    folder, stored_parts : the folder it was loaded from, and its price parts (:meth:`price_parts`) if that holds any
    """

    name: str
    status: Status
    objective: float
    lower_bound: float
    upper_bound: float
    gap: float
    activity: pd.Series
    consumption: pd.Series
    prices: pd.Series
    rents: pd.Series
    floor_rents: pd.Series
    capacity_rents: pd.Series
    use: pd.DataFrame
    targets: pd.Series
    capacities: pd.Series
    limits: list[ResolvedLimit]
    objective_kind: str
    objective_unit: str
    sense: str
    certified: bool = False
    surplus: float = float("nan")
    base: pd.Series | None = None
    names: pd.Series | None = None
    unit: str | pd.Series = ""
    options: dict[str, Any] = field(default_factory=dict)
    info: SolveInfo = field(default_factory=SolveInfo)
    notes: list[str] = field(default_factory=list)
    stages: list[PlanResult] = field(default_factory=list)
    vertex: PlanVertex | None = None
    plan: Plan | None = None
    folder: Path | None = None
    stored_parts: pd.DataFrame | None = None

    def raise_for_status(self) -> None:
        """Raise NotOptimal unless the status is OPTIMAL."""
        if self.status is not Status.OPTIMAL:
            raise NotOptimal(f"plan {self.name!r}: status is {self.status.value}")

    # ---- what stands in the way -----------------------------------------------------------------------------------
    def bottlenecks(self) -> pd.DataFrame:
        """What binds, its rent, and what one more unit and one more percent of it would bring.

        Returns
        -------
        DataFrame, the most valuable first, with index (``kind``, ``name``): kind is "at most", "at least" or
        "capacity". Columns: ``indicator`` (or technique), ``use``, ``bound``, ``rent``, ``one_more_unit`` and
        ``one_more_percent`` (change of the objective when the bound is relaxed by one unit, by 1 % of it), ``unit``.

        The changes are exact for small relaxations (they are derivatives) and never understate what a larger one
        costs: the gain per unit falls as other bounds begin to bind.
        """
        columns = ["kind", "name", "indicator", "use", "bound", "rent", "one_more_unit", "one_more_percent", "unit"]
        table = pd.DataFrame([*self._limit_rows(), *self._capacity_rows()], columns=columns)
        value = table["rent"] * table["bound"].abs()
        slack = (table["bound"] - table["use"]).abs() / table["bound"].abs().where(table["bound"] != 0, 1.0)
        holds = (table["rent"] > 0) & (slack <= _REACHED)
        holds &= (value > _NEGLIGIBLE * value.sum()) | (table["bound"] == 0)
        table = table[holds]
        order = np.argsort(-table["one_more_percent"].abs().to_numpy(), kind="stable")
        table = table.iloc[order]
        # Names are labels of all sorts, tuples among them: set_index would compare each with each to sort them.
        coded: Any = [pd.factorize(table[level]) for level in ("kind", "name")]
        levels: Any = [_objects(names) for _, names in coded]
        index = pd.MultiIndex(levels, [at for at, _ in coded], names=["kind", "name"])
        return table.drop(columns=["kind", "name"]).set_axis(index)

    def _limit_rows(self) -> list[tuple[Any, ...]]:
        sign = 1.0 if self.sense == "max" else -1.0
        rows = []
        for limit in self.limits:
            use = float(self.use["use"][limit.name])
            for kind, bound, rents in (
                ("at most", limit.upper, self.rents),
                ("at least", limit.lower, self.floor_rents),
            ):
                if np.isfinite(bound):
                    rent = float(rents[limit.name])
                    percent = sign * rent * abs(bound) / 100.0
                    rows.append((kind, limit.name, limit.indicator, use, bound, rent, sign * rent, percent, limit.unit))
        return rows

    def _capacity_rows(self) -> list[tuple[Any, ...]]:
        sign = 1.0 if self.sense == "max" else -1.0
        capacity, rent = self.capacities.to_numpy(), self.capacity_rents.to_numpy()
        held = np.flatnonzero(np.isfinite(capacity) & (rent > 0))
        activity = self.activity.to_numpy()[held].tolist()
        labels = list(self.activity.index[held])
        rows: list[tuple[Any, ...]] = []
        for name, used, bound, each in zip(labels, activity, capacity[held].tolist(), rent[held].tolist(), strict=True):
            percent, unit = sign * each * abs(bound) / 100.0, self._activity_unit(name)
            rows.append(("capacity", name, name, used, bound, each, sign * each, percent, unit))
        return rows

    def _activity_unit(self, technique: Any) -> str:
        if isinstance(self.unit, str):
            return self.unit
        return str(self.unit.get(technique, "unit of activity"))

    def idle_techniques(self) -> pd.DataFrame:
        """What would make idle techniques worth running (:func:`kantor.planning.idle.idle_techniques`)."""
        from .idle import idle_techniques

        return idle_techniques(self)

    # ---- who uses what ------------------------------------------------------------------------------------------
    def users(self, what: Any) -> pd.DataFrame:
        """Who uses a limited resource, an indicator or a product directly, the largest first.

        Returns a DataFrame by (``kind``, ``name``) with columns ``use``, ``share`` and ``unit``. Kinds: "technique"; of
        a product also "consumption" and "unused", so that its uses add up to its gross output.

        >>> import kantor as kt
        >>> eco = kt.Economy.from_arrays(input=[[0.0, 0.5], [0.0, 0.0]], intensities=[[2.0, 1.0]], demand=[4.0, 10.0],
        ...                              products=["coal", "iron"], indicators=["hours"])
        >>> result = kt.Plan(eco, limits={"hours": 28.0}).solve()
        >>> result.users("hours")["use"].round(6).to_dict()
        {('technique', 'coal'): 18.0, ('technique', 'iron'): 10.0}
        >>> result.by_target("hours")["use"].round(6).to_dict()
        {('consumption', 'iron'): 20.0, ('consumption', 'coal'): 8.0}
        """
        from .contributions import users

        return users(self, what)

    def by_target(self, what: Any) -> pd.DataFrame:
        """For which final target a resource or product is used, through the whole chain of production.

        Returns a DataFrame as :meth:`users`. Kinds: "consumption" of a product, "unused" (made and not consumed), and
        "technique" for those that make nothing, as what must be left behind. The uses add up to the whole use of the
        resource, to the gross output of the product (:mod:`kantor.planning.contributions`, with an example there).
        """
        from .contributions import by_target

        return by_target(self, what)

    def contents(self, indicators: Iterable[str] | None = None) -> pd.DataFrame:
        """Labour, energy, emissions embodied in one unit of each product by this plan, beside its price.

        ``indicators``: names or aliases; None: those that limits are about. Returns products x (quantity, unit): first
        ``price``, then each indicator; the last column is the unit of the product. NaN where a product is not made.
        """
        from .contributions import contents

        return contents(self, indicators)

    def opportunity_costs(self) -> pd.DataFrame:
        """What each target costs: the change of the objective if one more unit, or one per cent more, were asked for.

        Columns ``target``, ``delivered``, ``price``, ``one_more_unit``, ``one_more_percent`` and ``unit`` (of the
        product), the dearest first. Of a largest scale it is ``-t p_i`` for one more unit in the basket, of least use
        ``p_i``; where a utility values consumption, the utility that one unit taken from it would cost. Like all
        multipliers it is exact for small changes.
        """
        from .contributions import opportunity_costs

        return opportunity_costs(self)

    # ---- prices ------------------------------------------------------------------------------------------------------
    def normalised_prices(self, numeraire: Any = None) -> pd.Series:
        """Prices with the numeraire at 1: a product's label, or None for the basket of the plan's targets.

        With the basket, the positive targets together are worth as much as they count in units: p.g = sum g, so that in
        a table in money the average price is 1.
        """
        if numeraire is None:
            basket = np.maximum(self.targets.to_numpy(np.float64), 0.0)
            worth = float(self.prices.to_numpy(np.float64) @ basket) / float(basket.sum())
        else:
            at = positions(pd.Index([numeraire]), self.prices.index, "numeraire")
            worth = float(self.prices.to_numpy()[at[0]])
        if not worth > 0:
            raise ProblemError(
                f"numeraire: {'the basket' if numeraire is None else repr(numeraire)} has a price of zero"
            )
        return (self.prices / worth).rename("normalised price")

    def price_parts(self) -> pd.DataFrame:
        """What each product's price consists of: the rents of the limits it uses up, directly and through its inputs.

        Returns products x limits: ``rent_k m_k``, m_k = A'm_k + S_k the use of indicator k embodied in a unit (floors
        count negative). Rows add up to the price wherever the product is made and no capacity binds on its way. For
        ``minimise-use`` the last column ``"direct"`` is what the minimised use itself adds.

        A plan folder keeps them. Raises ProblemError for economies that are not square.
        """
        if self.plan is None:
            if self.stored_parts is None:
                raise ProblemError(
                    f"price_parts: the plan folder {self.folder} holds none (they need a square economy)"
                )
            return self.stored_parts
        eco, made = self.plan.economy, self.plan.compiled
        if not eco.is_square:
            raise ProblemError(f"price_parts: {eco.name!r} is not square, so use is not embodied in one way")
        rents = self.rents - self.floor_rents
        parts = {limit.name: rents[limit.name] * eco.indicator(limit.indicator).to_numpy() for limit in self.limits}
        if made.cost.any():
            parts["direct"] = made.cost
        if not parts:
            return pd.DataFrame(index=eco.products)
        direct = np.column_stack(list(parts.values()))
        solved = np.asarray(values(eco.input_coefficients, direct, tolerance=1e-12))
        # Solved to a share of the largest value; once more by the formula, what uses nothing up is exactly zero.
        return pd.DataFrame(eco.input_coefficients.T @ solved + direct, eco.products, list(parts))

    # ---- words, files ------------------------------------------------------------------------------------------------
    def summary(self) -> list[str]:
        """A few lines that say what was found, what proves it, and what binds."""
        lines = [f"{self.name}: {self.status.value}, {self.objective_kind} {self.objective:.9g} {self.objective_unit}"]
        if self.status is Status.OPTIMAL and not self.certified:
            lines.append(f"not certified: {self.info.why}")
        elif np.isfinite(self.lower_bound) and np.isfinite(self.upper_bound):
            lines.append(f"proved: between {self.lower_bound:.12g} and {self.upper_bound:.12g}, gap {self.gap:.1e}")
        lines.append(
            f"{len(self.consumption):,} products, {len(self.activity):,} techniques, {len(self.limits)} limits; "
            f"{self.info.method or 'no method'}, {self.info.iterations:,} iterations, "
            f"backend {self.info.backend or 'none'}"
        )
        for limit in self.limits:
            row = self.use.loc[limit.name]
            parts = [f"{limit.name}: {row['use']:.6g}"]
            if np.isfinite(limit.upper):
                parts.append(f"of at most {limit.upper:.6g} {limit.unit} ({row['share']:.1%})")
            if np.isfinite(limit.lower):
                parts.append(f"at least {limit.lower:.6g} {limit.unit}")
            lines.append("  " + " ".join(parts))
        binding = self.bottlenecks()
        for item in _records(binding.head(5)):
            gain = f"one percent more changes the objective by {item['one_more_percent']:+.6g}"
            lines.append(f"binds: {show(item['name'])} ({item['kind']}); {gain}")
        if len(binding) > 5:
            lines.append(f"binds: {len(binding) - 5} more, see bottlenecks()")
        return lines + [f"note: {note}" for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are infinite or missing become None."""
        return {
            "name": self.name,
            "status": self.status.value,
            "objective_kind": self.objective_kind,
            "objective_unit": self.objective_unit,
            "sense": self.sense,
            "objective": _finite(self.objective),
            "lower_bound": _finite(self.lower_bound),
            "upper_bound": _finite(self.upper_bound),
            "gap": _finite(self.gap),
            "certified": self.certified,
            "primal_residual": _finite(self.info.primal_residual),
            "dual_residual": _finite(self.info.dual_residual),
            "iterations": int(self.info.iterations),
            "method": self.info.method,
            "why": self.info.why,
            "backend": self.info.backend,
            "device": self.info.device,
            "tolerance": _finite(self.info.tolerance),
            "products": len(self.consumption),
            "techniques": len(self.activity),
            "seconds": self.info.seconds,
            "bottlenecks": [
                {key: _plain(value) for key, value in row.items()} for row in _records(self.bottlenecks().head(20))
            ],
            "notes": [*self.notes, *self.info.notes],
            **({} if self.vertex is None else {"vertex": self.vertex.facts()}),
        }

    def save(self, folder: str | Path) -> Path:
        """Write a plan folder that :func:`kantor.verify_plan` can recheck; see :mod:`kantor.planning.folder`."""
        from .folder import save_plan

        return save_plan(self, folder)

    def export(self, path: str | Path, format: str | None = None, *, overwrite: bool = False) -> Path:
        """Write the plan's tables with labels and units: a folder of CSV files, ``.xlsx``, ``.nc``, or Parquet.

        format : "csv", "excel", "netcdf" or "parquet" (a folder); None: by the path's ending, without one "csv".

        Tables: plan, activity, products, limits, bottlenecks. CSV and Excel leave empty what is missing or infinite.
        Raises ProblemError if the path exists (unless ``overwrite``), MissingPackage without openpyxl or xarray.
        """
        from .export import export

        return export(self, path, format, overwrite=overwrite)

    def to_xarray(self) -> Any:
        """An xarray.Dataset over product, technique and limit; units are attributes or coordinates
        (``product_unit``)."""
        from .export import to_xarray

        return to_xarray(self)

    def to_pymrio(self, year: int | None = None) -> Any:
        """The planned year as a pymrio.IOSystem with the extension ``resources``; ``calc_all`` makes the rest.

        Z, Y, x and F are those of the planned activity (:mod:`kantor.planning.planned_table`): x = Z 1 + Y 1, and S and
        M those of its techniques in their planned shares. ``year``: which one, of a plan over several.

        Raises ProblemError for a plan loaded from a folder (it has no economy), MissingPackage without pymrio.
        """
        from .planned_table import to_pymrio

        return to_pymrio(self, year)

    def __str__(self) -> str:
        return "\n".join(self.summary())


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table with its index, as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in table.reset_index().to_dict("records")]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A value that the json module can write."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return _finite(float(value))
    return value if isinstance(value, str | int) else str(value)


def _objects(labels: Any) -> pd.Index:
    """Labels as they are: tuples make no further levels.

    >>> _objects([("a", 1), "b"]).nlevels
    1
    """
    out = np.empty(len(labels), dtype=object)
    out[:] = list(labels)
    return pd.Index(out, dtype=object, tupleize_cols=False)
