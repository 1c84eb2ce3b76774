"""Recheck a plan in shards from its folder and the raw shards, with code that shares nothing with the solver.

One shard is read after another, so one process can check what many solved: it needs the vectors, never the table.
Checked: digests and checksums; that every balance and limit holds, and that no technique earns anything at the prices,
rounding accounted for; value and bound, which must be those stated. A plan that is said not to exist is confirmed by
prices at which the limits are worth less than the targets.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy_shards import HEAD, ShardedEconomy, open_economy
from ..data.parts import HEAD as PARTS_HEAD
from ..data.parts import read_parts
from ..errors import KantorError, ProblemError
from .record import digest, number, sha256_of

Numbers = np.ndarray[Any, Any]
_U = 2.0**-53
_AGREEMENT = 1e-12  # between stated values and those computed here
_FUNCTIONS = 64.0  # roundings that a utility's formula may have


def verify_sharded(folder: str | Path) -> dict[str, Any]:
    """{"ok", "reasons", "value", "bound"}; a folder that cannot be read gives reasons, no error."""
    reasons: list[str] = []
    found: dict[str, Any] = {"ok": False, "reasons": reasons, "value": math.nan, "bound": math.nan}
    try:
        _verify(Path(folder), reasons, found)
    except (KantorError, OSError, ValueError, KeyError, TypeError) as error:
        reasons.append(f"{type(error).__name__}: {error}")
    found["ok"] = not reasons
    return found


def _verify(folder: Path, reasons: list[str], found: dict[str, Any]) -> None:
    record = json.loads((folder / "plan.json").read_text())
    if record.get("digest") != digest(record):
        reasons.append("plan.json was changed: its digest does not hold")
    tables = {}
    for name, sha256 in record["tables"].items():
        if sha256_of(folder / name / PARTS_HEAD) != sha256:
            reasons.append(f"{name}: not the table that plan.json names")
        tables[name] = read_parts(folder / name)[0]
    place = Path(record["economy"]["folder"])
    if sha256_of(place / HEAD) != record["economy"]["sha256"]:
        raise ProblemError(f"{place / HEAD}: not the economy that was planned")
    economy = open_economy(place)
    check = _Check(record, economy, tables["techniques"], tables["goods"], reasons)
    for shard in range(len(economy.shards)):
        check.shard(shard)
    check.end(found)


class _Check:
    """Sums over the shards so far, and what did not hold."""

    def __init__(
        self, record: dict[str, Any], economy: ShardedEconomy, techniques: pd.DataFrame, goods: pd.DataFrame,
        reasons: list[str],
    ) -> None:  # fmt: skip
        self.record, self.economy, self.reasons = record, economy, reasons
        n, m = economy.shape
        if (len(goods), len(techniques)) != (n, m):
            raise ProblemError(f"{len(goods)} goods and {len(techniques)} techniques, the economy has {n} and {m}")
        self.x, self.own = techniques["activity"].to_numpy(), techniques["good"].to_numpy()
        self.p, self.asked = goods["price"].to_numpy(), goods["consumption"].to_numpy()
        self.stated_targets = goods["target"].to_numpy()
        for name, vector in (("activity", self.x), ("price", self.p), ("consumption", self.asked)):
            if not (np.isfinite(vector).all() and (vector >= 0.0).all()):
                raise ProblemError(f"{name}: a number that is negative or not finite")
        self.limits = record["limits"]
        self.rents = np.array([limit["rent"] for limit in self.limits])
        if not ((self.rents >= 0.0).all() and np.isfinite(self.rents).all()):
            raise ProblemError("rents: a number that is negative or not finite")
        self.targets, self.full, self.cost = np.zeros(n), np.zeros(m), np.zeros(m)
        self.use = np.zeros((len(self.limits), m))
        self.taken, self.terms = np.zeros(m), np.zeros(m)
        self.goods_done = self.techniques_done = 0

    def shard(self, number: int) -> None:
        """The balances of its goods; what its goods take of every technique's earnings; its techniques' costs."""
        part = self.economy.read([number])
        first, start = self.goods_done, self.techniques_done
        goods, mine = slice(first, first + part.targets.size), slice(start, start + part.own.size)
        if not (np.array_equal(self.own[mine], first + part.own) and np.array_equal(
            self.stated_targets[goods], part.targets)):  # fmt: skip
            self.reasons.append(f"shard {number}: goods or targets are not those of the economy")
        self.targets[goods] = part.targets
        made = np.bincount(part.own, weights=self.x[mine], minlength=part.targets.size)
        used = part.input @ self.x
        terms = np.diff(part.input.indptr) + np.bincount(part.own, minlength=part.targets.size)
        short = self.asked[goods] - (made - used) + _gamma(terms + 4) * (made + used + self.asked[goods])
        if self.record["status"] != "primal infeasible" and (short > 0.0).any():
            worst = first + int(np.argmax(short))
            self.reasons.append(f"good {worst}: {short.max():.3g} more is asked for than is surely made")
        self.taken += part.input.T @ self.p[goods]
        self.terms += np.bincount(part.input.indices, minlength=self.terms.size)
        known = self.economy.indicators
        for row, limit in enumerate(self.limits):
            self.use[row, mine] = part.intensities[known.index(limit["indicator"])]
        if self.record["objective"]["indicator"] is not None:
            self.cost[mine] = part.intensities[known.index(self.record["objective"]["indicator"])]
        self.goods_done, self.techniques_done = goods.stop, mine.stop

    def end(self, found: dict[str, Any]) -> None:
        """Limits, prices, value and bound."""
        record, kind = self.record, self.record["objective"]["kind"]
        gone = record["status"] == "primal infeasible"
        for row, limit in enumerate(self.limits):
            use, error = _dot(self.use[row], self.x)
            if not gone and use + error > limit["at_most"]:
                self.reasons.append(f"{limit['indicator']}: {use!r} is used of {limit['at_most']!r}")
            if not abs(use - limit["use"]) <= _AGREEMENT * abs(use):
                self.reasons.append(f"{limit['indicator']}: use is {use!r}, stated {limit['use']!r}")
        self.full = self.rents @ self.use + (self.cost if not gone else 0.0)
        earned = self.p[self.own]
        excess = earned - self.taken - self.full
        excess += _gamma(self.terms + len(self.limits) + 8) * (earned + self.taken + self.full)
        if (excess > 0.0).any():
            self.reasons.append(f"technique {int(np.argmax(excess))} earns {excess.max():.3g} at these prices")
        most = np.array([limit["at_most"] for limit in self.limits])
        basket, error = _dot(self.p, self.targets)
        paid, paid_error = _dot(self.rents, most)
        if gone:
            if not paid + paid_error < basket - error:
                self.reasons.append("the limits are not worth less than the targets, so a plan may exist")
            return
        value, bound = {"max-scale": self._scale, "minimise-use": self._use, "harmony": self._harmony}[kind](
            basket, error, paid, paid_error
        )
        found["value"], found["bound"] = value, bound
        lower, upper = (bound, value) if kind == "minimise-use" else (value, bound)
        self._compare(lower, upper, kind)

    def _compare(self, lower: float, upper: float, kind: str) -> None:
        stated = {name: number(self.record["certificate"][name]) for name in ("lower_bound", "upper_bound", "gap")}
        for name, here in (("lower_bound", lower), ("upper_bound", upper)):
            size = max(abs(here), 1.0 if kind == "harmony" else 0.0)
            if not abs(here - stated[name]) <= _AGREEMENT * self.x.size**0.5 * size:
                self.reasons.append(f"{name}: {here!r} follows from the plan, stated {stated[name]!r}")
        gap = (upper - lower) / max(abs(upper), abs(lower), 1.0 if kind == "harmony" else 1e-300)
        if self.record["status"] == "optimal" and not gap <= self.record["tolerance"] * (1.0 + 1e-6):
            self.reasons.append(f"the gap is {gap:.3g}, more than the tolerance of {self.record['tolerance']!r}")

    def _scale(self, basket: float, error: float, paid: float, paid_error: float) -> tuple[float, float]:
        scale = number(self.record["certificate"]["scale"])
        if (self.asked < scale * self.targets).any():
            self.reasons.append("a good's consumption is less than the scale times its target")
        return scale, (paid + paid_error) / (basket - error) if basket > error else math.inf

    def _use(self, basket: float, error: float, paid: float, paid_error: float) -> tuple[float, float]:
        if (self.asked < self.targets).any():
            self.reasons.append("a good's consumption is less than its target")
        used, off = _dot(self.cost, self.x)
        return used + off, basket - error - paid - paid_error

    def _harmony(self, basket: float, error: float, paid: float, paid_error: float) -> tuple[float, float]:
        g = self.targets
        at = g > 0.0
        if self.asked[~at].any():
            self.reasons.append("a good without a target is consumed")
        s = self.asked[at] / g[at] - 1.0
        worth = np.where(s < 0.0, s - 0.5 * s * s, np.log1p(np.maximum(s, 0.0)))
        value = math.fsum(worth) - _FUNCTIONS * _U * (float(np.abs(worth).sum()) + worth.size)
        u = self.p[at] * g[at]  # price of the target: 1 where it is just met
        with np.errstate(divide="ignore"):
            plenty, little = -np.log(u) - 1.0, np.maximum(2.0 - u, 0.0)
        surplus = np.where(u <= 1.0, plenty, (little - 1.0) - 0.5 * (little - 1.0) ** 2 - u * little)
        bound = math.fsum(surplus) + _FUNCTIONS * _U * (float(np.abs(surplus).sum()) + surplus.size) if (
            np.isfinite(surplus).all()) else math.inf  # fmt: skip
        return value, bound + paid + paid_error


def _gamma(count: Any) -> Any:
    k = 1.02 * np.asarray(count, dtype=np.float64) * _U
    return k / (1.0 - k)


def _dot(a: Numbers, b: Numbers) -> tuple[float, float]:
    """(a.b for a, b >= 0, bound on its error)."""
    products = a * b
    total = math.fsum(products)
    return total, 4.0 * _U * total + 1e-290
