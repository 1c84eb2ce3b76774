"""Sweeps: one scenario solved for several values of one of its keys, side by side, with the table in memory once.

Every point is a small scenario of its own that extends the given one, so its plan folder says all it takes to compute
and verify it again. Points are solved in threads: the kernels and HiGHS let go of the interpreter while they work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError
from .result import PlanResult
from .scenario import Scenario, build, load_scenario, parse_scenario

# Tables that say nothing of the economy of one year: what they change is planned with the table already read.
_SAME_TABLE = ("limits", "objective", "horizon", "storage", "capital", "solve")


def sweep(
    scenario: str | Path | Scenario,
    key: str,
    values: Sequence[Any],
    out: str | Path | None = None,
    jobs: int = 1,
    on_point: Callable[[Any, PlanResult], object] | None = None,
) -> pd.DataFrame:
    """Solve a scenario once for each value of one of its keys.

    Parameters
    ----------
    scenario : a scenario file, or one that was loaded.
    key : what varies, as "limits.ghg.at_most" or "horizon.growth".
    values : numbers, texts, true or false, or lists of them.
    out : folder of the plan folders 01, 02, ..., one for each value; None: none is written.
    jobs : how many are solved at the same time.
    on_point : called with the value and its result as each is done.

    Returns
    -------
    DataFrame with the values as index, named like the key: ``objective``, ``lower_bound``, ``upper_bound``, ``gap``,
    ``status``, ``seconds``, ``change`` (of the objective by one unit more of a number that varies, from point to point;
    NaN for the first) and ``plan``, the result.
    """
    base = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    if not values:
        raise OptionError("values: none given")
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise OptionError(f"jobs: got {jobs!r}, expected a whole number of at least 1")
    if base.path.suffix.lower() != ".toml":
        raise ProblemError(
            f"{base.path}: a sweep varies a scenario file; write one with [economy] source = {base.path.name!r}"
        )
    folder = None if out is None else Path(out)
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise ProblemError(f"{folder}: holds something already; name another folder for the plans")
    points = [_point(base, key, value) for value in values]
    digits = max(2, len(str(len(points))))

    def solved(number: int) -> PlanResult:
        point = points[number]
        result = build(point).solve(**point.document.solve.model_dump())
        if folder is not None:
            result.save(folder / f"{number + 1:0{digits}d}")
        if on_point is not None:
            on_point(values[number], result)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(solved, range(len(points))))
    return _table(key, values, results)


def _point(base: Scenario, key: str, value: Any) -> Scenario:
    """The scenario that extends the base by one value, with its economy where the value does not concern it."""
    tables = key.split(".")
    if len(tables) < 2 or not all(tables):
        raise OptionError(f"key: {key!r}, expected a table and a key of it, as 'limits.ghg.at_most'")
    head, name = ".".join(map(json.dumps, tables[:-1])), json.dumps(tables[-1])
    title = json.dumps(f"{base.name}, {key} = {value}", ensure_ascii=False)
    text = f"extends = {json.dumps(base.path.name)}\nname = {title}\n\n[{head}]\n{name} = {_toml(value, key)}\n"
    point = parse_scenario(text, base.path.with_name(f"{base.path.stem} by {key}.toml"))
    if tables[0] in _SAME_TABLE and not (point.document.enlarged and base.document.capacities):
        point.__dict__["single"] = base.single
        point.files.update({name: source for name, source in base.files.items() if name not in point.files})
    return point


def _toml(value: Any, key: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | np.number):
        return repr(value.item() if isinstance(value, np.number) else value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item, key) for item in value)}]"
    raise OptionError(f"{key}: got {value!r}, expected a number, a text, true or false, or a list of them")


def _table(key: str, values: Sequence[Any], results: list[PlanResult]) -> pd.DataFrame:
    numeric = all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values)
    objective = np.array([result.objective for result in results], np.float64)
    change = np.full(len(results), np.nan)
    if numeric:
        step = np.diff(np.asarray(values, np.float64))
        change[1:] = np.divide(np.diff(objective), step, out=np.full(len(step), np.nan), where=step != 0)
    return pd.DataFrame(
        {
            "objective": objective,
            "lower_bound": [result.lower_bound for result in results],
            "upper_bound": [result.upper_bound for result in results],
            "gap": [result.gap for result in results],
            "status": [result.status.value for result in results],
            "seconds": [float(result.info.seconds["total"]) for result in results],
            "change": change,
            "plan": results,
        },
        index=pd.Index([str(v) if isinstance(v, list | tuple) else v for v in values], name=key),
    )
