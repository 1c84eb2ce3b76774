"""Plan: an economy, what people want of it, what it may use, and what it is for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.base import only_inputs
from ..data.economy import Economy
from ..data.labels import show_some
from ..errors import OptionError, ProblemError
from ..modelling.horizon import Horizon
from ..solvers.checkpoint import checkpoints
from ..solvers.productive import check_productive
from ..solvers.program import PlanningProgram
from ..solvers.solution import Status
from .combined import Held, Lexicographic
from .given import capacities_of, leaves_a_rest, uses_less_than_it_makes
from .in_order import Place, solve_in_order
from .limits import Bound, Limit, ResolvedLimit, is_relative, resolve_limits
from .objectives import CompiledObjective, MaxScale, Objective
from .result import PlanResult
from .solving import solve_once
from .wording import about_negative_targets, entry_in_labels
from .written_out import write_out

if TYPE_CHECKING:
    from ..data.model_names import ModelNames
    from .diagnose import Diagnosis


class Plan:
    """A planning problem on a labelled economy, checked when it is made.

    Parameters
    ----------
    economy : Economy
    targets : final demand to be met or scaled: the name of a demand category, a Series by product, an array (n,), or
        None for the economy's total final demand. A category that belongs to another technology table of the economy
        (domestic or total inputs) makes the plan use that table, and a note says so.
    objective : MaxScale() by default; see :mod:`kantor.planning.objectives`.
    limits : name -> number, "102%", "-5%", or Limit; see :mod:`kantor.planning.limits`. They come before the economy's
        own limits on the same indicators.
    horizon : several years with capital and stocks, see :class:`kantor.Horizon`. Targets are then those of the first
        year, or a table products x years; limits hold in each year (see :class:`kantor.Limit`, ``over``); techniques
        and products carry (year, action or account, label), and capacities name them so.
    capacities : largest activity by technique (Series, mapping) or for all (array (m,)); it replaces the economy's own
        for the techniques named.
    name : for titles and files.
    held : results of other objectives that this plan may not fall behind; :class:`Lexicographic` and
        :func:`kantor.frontier` set them.

    Raises
    ------
    ProblemError
        for unknown labels or indicators (with the nearest known one), NaN, lower > upper, wrong units, and for a square
        economy that is not productive: the sectors that together use more than they make are named.

    >>> import numpy as np
    >>> eco = Economy.from_iot(A=np.array([[0.5, 0.1], [0.2, 0.4]]), Y=[30.0, 10.0], labels=["wheat", "cloth"],
    ...                        S=pd.DataFrame([[1.0, 2.0]], ["hours"], ["wheat", "cloth"]))
    >>> result = Plan(eco, limits={"hours": "90%"}).solve()
    >>> round(result.objective, 9), result.bottlenecks().index.tolist()
    (0.9, [('at most', 'hours')])
    """

    def __init__(
        self,
        economy: Economy,
        targets: Any = None,
        objective: Objective | None = None,
        limits: Mapping[str, Bound | Limit] | None = None,
        capacities: Any = None,
        name: str | None = None,
        horizon: Horizon | None = None,
        held: Sequence[Held] = (),
    ) -> None:
        if not isinstance(economy, Economy):
            raise ProblemError(f"economy: got {type(economy).__name__}, expected an Economy")
        wanted: Any = "total" if targets is None else targets
        self.asked = {"economy": economy, "targets": targets, "limits": limits, "capacities": capacities}
        self.asked |= {"horizon": horizon, "held": tuple(held)}
        self.economy = economy.for_demand(wanted)
        self.objective = MaxScale() if objective is None else objective
        if not isinstance(self.objective, Objective):
            raise OptionError(
                f"objective: got {self.objective!r}, expected MaxScale(), Harmony(), MinimiseUse(...), ..."
            )
        self.stated_objective = self.objective  # as given; below it may become year by year, or plain
        # Set by kantor.planning.in_order: which objective of which plan this one is for.
        self.place: Place | None = None
        self.in_order = self.objective if isinstance(self.objective, Lexicographic) else None
        if self.in_order is not None:
            self.objective = self.in_order.objectives[0]
        changed, technology = (economy if self.economy is not economy else None), self.economy.technology
        single = self.single = self.economy
        self.written = write_out(single, wanted, self.objective, limits, horizon, held)
        self.economy, self.objective, limits = self.written.economy, self.written.plain, self.written.limits
        self.targets = self.written.targets.rename("target")
        self.name = name or f"{self.economy.name}, {(objective or self.objective).name}"
        self.notes: list[str] = []
        self._no_base = ""
        if changed is not None:
            self.notes.append(
                f"the targets {targets!r} belong to technology {technology!r}, so the plan uses that table instead of "
                f"{changed.technology!r}"
            )
        self.capacities = capacities_of(capacities, self.economy)
        self.stated_limits = dict(limits)
        self.compiled: CompiledObjective = self.objective.compile(self.economy, self.targets.to_numpy())
        if self.economy.is_square and not self._surely_productive():
            check_productive(self.economy.input_coefficients, labels=self.economy.products)
        elif not single.is_square:
            inputs = only_inputs(single)
            if inputs is not None and not uses_less_than_it_makes(inputs):
                check_productive(inputs, labels=single.products)
        # The base plan of a large table takes longer than all else here, and absolute limits do without.
        base = self.base_use if any(map(is_relative, limits.values())) else None
        self._bounds = resolve_limits(limits, self.economy, base, self._no_base)
        self._note_targets()
        # Set by kantor.planning.scenario: where the plan comes from, so that a plan folder can say so.
        self.scenario: Any = None

    def _note_targets(self) -> None:
        labels = self.economy.products
        self.notes += about_negative_targets(self)
        made = np.zeros(len(labels), bool)
        made[self.economy.output_coefficients.nonzero()[0]] = True
        orphans = (self.compiled.targets > 0) & ~made
        if orphans.any():
            self.notes.append(
                f"no technique makes {show_some(labels[orphans])}, which the targets ask for; add a technique that "
                "makes it "
                "(without inputs and with a capacity, for what comes from outside), or take it out of the targets"
            )

    @property
    def bounds(self) -> list[ResolvedLimit]:
        """The limits in numbers, without the base plan's use, which takes long to find where nothing asks for it."""
        return self._bounds

    @cached_property
    def limits(self) -> list[ResolvedLimit]:
        """The limits in numbers, each with the base plan's use of its indicator."""
        base = self.base_use
        if base is None:
            return self._bounds
        return [replace(limit, base=float(base[limit.indicator])) for limit in self._bounds]

    @cached_property
    def base_activity(self) -> pd.Series | None:
        """What delivers the targets with the base-year technology (:meth:`Economy.base_plan`); None if nothing does."""
        try:
            return self.economy.base_plan(self.targets).rename("base")
        except ProblemError as error:
            self._no_base = str(error)
            return None

    @cached_property
    def base_use(self) -> pd.Series | None:
        """Use of every indicator by the base plan, to which percentages refer; None where there is no base plan."""
        if self.economy.reference_use is not None:
            return self.economy.reference_use
        return None if self.base_activity is None else self.economy.use(self.base_activity)

    def _surely_productive(self) -> bool:
        """Whether a glance shows that a square economy is productive: cheap columns, or a base plan that proves it."""
        A = self.economy.input_coefficients
        if uses_less_than_it_makes(A):
            return True
        base = self.base_activity
        return base is not None and leaves_a_rest(A, base.to_numpy())

    # ---- to arrays -------------------------------------------------------------------------------------------
    def compile(self) -> PlanningProgram:
        """The plan as arrays. A fixed supply from outside (utilities, negative targets) becomes one extra technique.

        The extra technique of good i makes one unit of it from nothing, up to |target_i|; so N x + supply >= C.
        """
        eco, made, supply = self.economy, self.compiled, self.supplied
        extra = supply.size
        output, inputs, use = eco.output_coefficients, eco.input_coefficients, self._resource_use()
        capacity = self.capacities.to_numpy()
        if extra:
            n = len(eco.products)
            source = sp.csr_array((np.ones(extra), (supply, np.arange(extra))), shape=(n, extra))
            output = sp.hstack([output, source], format="csr")
            inputs = sp.hstack([inputs, sp.csr_array((n, extra))], format="csr")
            use = sp.hstack([use, sp.csr_array((use.shape[0], extra))], format="csr")
            capacity = np.concatenate([capacity, made.supply[supply]])
        with self._labelled():
            return self._program(output, inputs, use, capacity, np.concatenate([made.cost, np.zeros(extra)]))

    def _program(self, output: Any, inputs: Any, use: Any, capacity: Any, cost: Any) -> PlanningProgram:
        return PlanningProgram(
            kind=self.compiled.kind,
            output=output,
            input=inputs,
            targets=self.compiled.targets,
            resource_use=use,
            resource_upper=np.array([limit.upper for limit in self._bounds], dtype=np.float64),
            resource_lower=np.array([limit.lower for limit in self._bounds], dtype=np.float64),
            capacity=capacity,
            cost=cost,
            terms=self.compiled.terms,
        )

    @contextmanager
    def _labelled(self) -> Iterator[None]:
        """Errors about numbered entries of the arrays name the labels instead."""
        try:
            yield
        except ProblemError as error:
            raise ProblemError(entry_in_labels(str(error), self)) from error

    @property
    def supplied(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Positions of the products that come from outside by a fixed amount; the extra techniques of ``compile``."""
        return np.flatnonzero(self.compiled.supply > 0)

    def _resource_use(self) -> sp.csr_array:
        return self.economy.use_of([limit.indicator for limit in self._bounds])

    # ---- solving ---------------------------------------------------------------------------------------------
    def solve(
        self,
        tolerance: float = 1e-6,
        method: str = "auto",
        backend: str = "auto",
        time_limit_s: float | None = None,
        iteration_limit: int | None = None,
        warm_start: PlanResult | None = None,
        on_progress: Callable[[dict[str, float]], object] | None = None,
        elastic: bool | Mapping[Any, float] = False,
        checkpoint: str | Path | None = None,
        vertex: bool = False,
    ) -> PlanResult:
        """Compute the plan and its proof.

        Parameters
        ----------
        tolerance : stop when the relative gap of the two proved bounds (see :class:`PlanResult`) is at most this.
        method, backend : "auto" chooses by structure and by what is installed; ``result.info.why`` says why.
        time_limit_s, iteration_limit : the best plan so far and its proved gap are returned when one is reached.
        warm_start : a result of the same or a similar plan to start from; products and techniques must be the same.
        on_progress : called with a dict of numbers at every check.
        elastic : plan anyway where no plan exists, with the bounds of the least relaxation (:meth:`relaxed`), which
            the notes of the result name; True, or weights as :meth:`diagnose` takes them.
        checkpoint : folder for the state of first-order solves: written every half minute and when interrupted, and
            gone on from when the same plan is solved again. Other methods start anew, which takes them seconds.
        vertex : go on to an exact optimal vertex, ``result.vertex`` (:class:`kantor.planning.vertex.PlanVertex`): which
            techniques run, which limits bind, prices to the last digit and the intervals of those that are not the only
            ones. For linear objectives; OptionError for utilities, which have none.

        Not converging, or an infeasible plan, is a status of the result, never an exception.
        """
        if checkpoint is not None:
            with checkpoints(checkpoint):
                return self.solve(tolerance, method, backend, time_limit_s, iteration_limit, warm_start, on_progress,
                                  elastic, vertex=vertex)  # fmt: skip
        if elastic:
            result = self.solve(tolerance, method, backend, time_limit_s, iteration_limit, warm_start, on_progress,
                                vertex=vertex)  # fmt: skip
            if result.status is not Status.PRIMAL_INFEASIBLE:
                return result
            easier = self.relaxed(elastic if isinstance(elastic, Mapping) else None, tolerance)
            return easier.solve(
                tolerance, method, backend, time_limit_s, iteration_limit, None, on_progress, vertex=vertex
            )
        if self.in_order is not None:
            return solve_in_order(self, self.in_order, tolerance, method, backend, time_limit_s, iteration_limit,
                                  on_progress, vertex)  # fmt: skip
        return solve_once(
            self, tolerance, method, backend, time_limit_s, iteration_limit, warm_start, on_progress, vertex
        )

    def write_mps(self, path: str | Path) -> ModelNames:
        """Write the exact model as an MPS file (``.mps``, ``.mps.gz``), with the plan's labels as names.

        Blanks in labels become underscores; ``FILE.names.csv`` lists the names that changed. Read back and solved by
        any solver its optimum is that of the plan. Raises ProblemError for utilities, which are not linear.

        >>> import tempfile, pathlib
        >>> from kantor import read_mps, solve_lp
        >>> eco = Economy.from_iot(A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], S=[[1.0, 2.0]],
        ...                        labels=["wheat", "cloth"], indicators=["hours"])
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "village.mps"
        >>> _ = Plan(eco, limits={"hours": "90%"}).write_mps(file)
        >>> round(solve_lp(read_mps(file)).objective, 9)
        0.9
        """
        from ..data.model_files import write_mps
        from .model import write_model

        return write_model(self, path, write_mps)

    def write_lp(self, path: str | Path) -> ModelNames:
        """Write the exact model in the LP format (``.lp``), readable for people; all as :meth:`write_mps`."""
        from ..data.model_files import write_lp
        from .model import write_model

        return write_model(self, path, write_lp)

    def diagnose(self, tolerance: float = 1e-6, weights: Mapping[Any, float] | None = None) -> Diagnosis:
        """Why no plan exists: the limits and targets in conflict, and the least relaxation that makes one possible.

        weights : what one hundred per cent of change of a limit, capacity or target count in that relaxation: mapping
            from its name, from (kind, name), or from a kind ("at most", "at least", "capacity", "target") to a number
            > 0, or inf for what may not give way. Default: 1 for limits and capacities; targets give way only if named
            here, or if nothing else can.
        """
        from .diagnose import diagnose

        return diagnose(self, tolerance, weights)

    def relaxed(self, weights: Mapping[Any, float] | None = None, tolerance: float = 1e-6) -> Plan:
        """This plan with the bounds of its least relaxation, or itself where it is possible as it is.

        ``weights`` as in :meth:`diagnose`. Raises ProblemError where nothing that may give way makes a plan possible.
        """
        from .diagnose import relaxed

        return relaxed(self, weights, tolerance)

    def with_changed(self, targets: pd.Series, capacities: pd.Series, bounds: Mapping[tuple[str, str], float]) -> Plan:
        """A copy with these targets and capacities in full, and other bounds by ("at most" or "at least", limit)."""
        other = copy.copy(self)
        for cached in ("base_activity", "base_use", "limits"):
            other.__dict__.pop(cached, None)
        other.targets, other.capacities, other.scenario = targets, capacities, None
        other.notes = list(self.notes)
        other.compiled = self.objective.compile(self.economy, targets.to_numpy())
        base = other.base_use
        other._bounds = []
        for limit in self.limits:
            sides = {"at_most": limit.upper, "at_least": limit.lower}
            sides |= {
                side: bounds[side.replace("_", " "), limit.name]
                for side in sides
                if (side.replace("_", " "), limit.name) in bounds
            }
            stated = {
                side: bound if (side.replace("_", " "), limit.name) in bounds else limit.stated[side]
                for side, bound in sides.items()
                if np.isfinite(bound)
            }
            use = limit.base if base is None else float(base[limit.indicator])
            other._bounds.append(
                replace(limit, base=use, upper=sides["at_most"], lower=sides["at_least"], stated=stated)
            )
        return other

    def __repr__(self) -> str:
        return f"<Plan {self.name!r}: {self.objective.name}, {len(self._bounds)} limits, {self.economy!r}>"
