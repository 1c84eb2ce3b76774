"""What flows where in a plan, what it is worth at the plan's prices, and what a unit of every product embodies.

Flows of products in different units add up only in worth, so their widths are amounts times the plan's prices, the
prices scaled so that the basket of the targets is worth as much as it counts. At an exact optimum the worth of what is
made equals that of its inputs and of the rents of the limits it uses (complementary slackness).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import KantorError
from .contributions import Chain

if TYPE_CHECKING:
    from ..data.economy import Economy
    from .result import PlanResult

# More products than this are shown by sector, or the rest behind the most valuable ones as one.
MOST = 8_000
KEPT = 3_000


def economy_of(result: PlanResult, record: dict[str, Any]) -> tuple[Economy | None, str]:
    """The economy behind a result, and why there is none: its files are read again for a plan loaded from a folder."""
    if result.plan is not None:
        return result.plan.economy, ""
    if result.folder is None or "inputs" not in record:
        return None, "the result has no economy with it"
    from .verify import raw_input

    try:
        economy, scenario = raw_input(Path(result.folder), record)
    except (KantorError, OSError, ValueError, KeyError) as error:
        return None, f"the plan's input cannot be read here: {error}"
    stated = {source["sha256"] for source in record["inputs"]}
    if scenario is not None:  # without one the economy itself is in the folder
        for source in economy.sources:
            if source.sha256 not in stated:
                return None, f"{Path(source.path).name} is not the file the plan was made from"
    if not economy.products.equals(result.prices.index) or not economy.techniques.equals(result.activity.index):
        return None, "the input read again does not have the plan's products and techniques"
    return economy, ""


def expanded(index: pd.Index) -> bool:
    """Whether the labels are those of an expanded table: (sector, number of the product)."""
    numbered = index.nlevels > 1 and index.names[-1] == "product"
    return numbered and index.get_level_values(-1).inferred_type == "integer"


@dataclass(frozen=True)
class Groups:
    """Products as they are shown: ``of`` the number of the group of each product, ``labels`` by group."""

    of: np.ndarray[Any, Any]
    labels: list[Any]
    alone: bool  # every group is one product

    @property
    def summing(self) -> sp.csr_array:
        """Groups x products, 1 where a product belongs."""
        n = len(self.of)
        return sp.csr_array((np.ones(n), (self.of, np.arange(n))), shape=(len(self.labels), n))


def grouped(index: pd.Index, worth: np.ndarray[Any, Any], most: int = MOST, kept: int = KEPT) -> Groups:
    """Groups of at most ``most`` for a report: products, sectors of an expanded table, or the most valuable and a rest.

    >>> import numpy as np, pandas as pd
    >>> grouped(pd.Index(["a", "b", "c"]), np.array([1.0, 3.0, 2.0]), most=2, kept=1).labels
    ['b', '2 smaller products']
    """
    n = len(index)
    if n <= most:
        return Groups(np.arange(n), list(index), True)
    if expanded(index):
        shorter: Any = index
        codes, labels = pd.factorize(shorter.droplevel(-1))
        if len(labels) <= most:
            return Groups(codes, list(labels), False)
    order = np.argsort(-worth, kind="stable")
    of = np.full(n, kept)
    of[order[:kept]] = np.arange(kept)
    return Groups(of, [*(index[i] for i in order[:kept]), f"{n - kept:,} smaller products"], False)


class Flows:
    """The flows of a plan between its groups of products."""

    def __init__(self, result: PlanResult, economy: Economy):
        self.result = result
        self.chain = Chain(result, "report", economy)
        self.eco = economy
        prices = result.prices.to_numpy(np.float64)
        basket = np.maximum(result.targets.to_numpy(np.float64), 0.0)
        worth = float(prices @ basket)
        self.scale = float(basket.sum()) / worth if worth > 0 else 1.0
        self.prices = prices * self.scale
        self.groups = grouped(economy.products, self.prices * np.maximum(self.chain.output, 0.0))

    @cached_property
    def inputs(self) -> sp.csr_array:
        """Worth (groups x groups) of the products of each row that go into making those of each column."""
        into = sp.csr_array(self.eco.input_coefficients @ self.chain.per_unit) * self.chain.output
        flows = sp.csr_array(into.multiply(self.prices[:, None]))
        return flows if self.groups.alone else sp.csr_array(self._sum(self._sum(flows).T).T)

    @cached_property
    def output(self) -> np.ndarray[Any, Any]:
        """Worth of the gross output by group."""
        return np.asarray(self._sum(self.prices * self.chain.output))

    @cached_property
    def uses(self) -> dict[str, np.ndarray[Any, Any]]:
        """Worth by group of what does not go into making other products."""
        consumption, unused = (
            self._sum(self.prices * self.chain.consumption),
            self._sum(self.prices * self.chain.unused),
        )
        left = self.output - np.asarray(self.inputs.sum(axis=1)).ravel() - consumption - unused
        noise = 1e-9 * np.abs(self.output)
        found = {"consumption": consumption, "investment and stocks": left, "left over": unused}
        return {name: np.where(np.abs(worth) > noise, worth, 0.0) for name, worth in found.items()}

    @cached_property
    def rents(self) -> dict[str, np.ndarray[Any, Any]]:
        """Worth by group of what its makers use of each limit, and of capacities: rent times use."""
        result, found = self.result, {}
        per_unit, output = self.chain.per_unit, self.chain.output
        at = {str(name): k for k, name in enumerate(self.eco.indicators)}
        net = (result.rents - result.floor_rents).to_numpy(np.float64) * self.scale
        for limit, rent in zip(result.limits, net.tolist(), strict=True):
            if rent and limit.indicator in at:
                row = sp.csr_array(self.eco.intensity_matrix[[at[limit.indicator]]] @ per_unit).toarray()[0]
                found[limit.name] = self._sum(rent * row * output)
        capacity = result.capacity_rents.to_numpy(np.float64) * self.scale
        if capacity.any():
            found["capacities"] = self._sum((per_unit.T @ capacity) * output)
        return found

    def embodied(self, indicators: list[str]) -> pd.DataFrame:
        """What a unit of every product embodies of each indicator; without those whose system cannot be solved."""
        try:
            found = self.chain.embodied(self.eco.use_of(indicators).toarray())
        except KantorError:
            return pd.DataFrame(index=self.eco.products)
        found = np.where((self.chain.output > 0.0)[:, None], found, np.nan)
        return pd.DataFrame(found, self.eco.products, indicators)

    def between(self, level: str) -> pd.DataFrame:
        """Worth of what products of one label of a level give to the making of those of another."""
        labels = self.eco.products.get_level_values(level)
        codes, names = pd.factorize(labels)
        into = sp.csr_array(self.eco.input_coefficients @ self.chain.per_unit) * self.chain.output
        flows = sp.csr_array(into.multiply(self.prices[:, None]))
        gather = sp.csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(names), len(codes)))
        index = pd.Index(names, name=level)
        return pd.DataFrame((gather @ flows @ gather.T).toarray(), index, index)

    def _sum(self, values: Any) -> Any:
        return values if self.groups.alone else self.groups.summing @ values
