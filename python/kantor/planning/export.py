"""A plan's tables in the forms that others read: CSV, Excel, Parquet, netCDF through xarray."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..atomic import new_file, new_folder, refuse_foreign
from ..data.forms.sheets_writer import csv_bytes
from ..data.labels import show
from ..data.workbook import Rows, write_workbook
from ..errors import OptionError, ProblemError, need, suggest
from .result import PlanResult

SUFFIXES = {".xlsx": "excel", ".nc": "netcdf", ".csv": "csv", ".parquet": "parquet"}
FORMATS = ("csv", "excel", "netcdf", "parquet")


def format_of(path: Path, format: str | None) -> str:
    """The format of an export: given, or by the path's ending; a path without one is a folder of CSV files."""
    if format is not None and format not in FORMATS:
        raise OptionError(f"format: {format!r} is unknown{suggest(format, FORMATS)}")
    suffix = path.suffix.lower()
    found = SUFFIXES.get(suffix)
    # a folder named like a file of another kind is a slip of the pen, not a wish; "plan.2026" names a folder
    if found is None and suffix[1:2].isalpha():
        raise ProblemError(
            f"{path}: tables are not written as {suffix!r}; end in .xlsx or .nc, or name a folder without an ending "
            "(for CSV or Parquet files)"
        )
    if found in ("csv", "parquet"):
        raise ProblemError(
            f"{path}: a plan is several tables, so {found} is a folder of files: name it "
            f"{path.with_suffix('').name} and "
            f"say format {found!r}"
        )
    if found is None and format in ("excel", "netcdf"):
        raise ProblemError(
            f"{path}: format {format!r} wants a name ending in {'.xlsx' if format == 'excel' else '.nc'}"
        )
    if found is not None and format not in (None, found):
        raise ProblemError(f"{path}: ends in {suffix}, but the format is {format!r}")
    return format or found or "csv"


def tables_of(result: PlanResult) -> dict[str, pd.DataFrame]:
    """The tables of a plan, each with the labels of its rows in its first columns, values and their units.

    ``plan``: what was sought, reached and proved; ``activity``: by technique; ``products``: target, consumption, price;
    ``limits``: use, base, bounds and rent of every limit and indicator; ``bottlenecks``: what binds.
    """
    unit = result.unit
    worth = f"{result.objective_unit} per unit"
    techniques = pd.DataFrame(
        {
            "activity": result.activity.to_numpy(),
            "capacity": result.capacities.to_numpy(),
            "base": np.nan if result.base is None else result.base.to_numpy(),
            "capacity_rent": result.capacity_rents.to_numpy(),
        }
    )
    if isinstance(unit, str):
        techniques["unit"] = unit
    products = pd.DataFrame(
        {
            "target": result.targets.to_numpy(),
            "consumption": result.consumption.to_numpy(),
            "price": result.prices.to_numpy(),
            "unit": unit if isinstance(unit, str) else unit.astype(str).to_numpy(),
        }
    )
    if result.names is not None:
        products["name"] = result.names.astype(str).to_numpy()
    bottlenecks = result.bottlenecks().reset_index()
    for column in ("name", "indicator"):
        bottlenecks[column] = [show(label) for label in bottlenecks[column]]
    return {
        "plan": pd.DataFrame(_summary(result, worth), columns=["key", "value"]).astype({"value": object}),
        "activity": _labelled(techniques, result.activity.index, "technique"),
        "products": _labelled(products, result.prices.index, "product"),
        "limits": result.use.rename_axis("limit").reset_index(),
        "bottlenecks": bottlenecks,
    }


def _summary(result: PlanResult, worth: str) -> list[tuple[str, Any]]:
    return [
        ("name", result.name),
        ("status", result.status.value),
        ("objective", result.objective_kind),
        ("sense", result.sense),
        ("value", result.objective),
        ("lower_bound", result.lower_bound),
        ("upper_bound", result.upper_bound),
        ("gap", result.gap),
        ("certified", "yes" if result.certified else "no"),
        ("unit of the value", result.objective_unit),
        ("unit of prices and rents", worth),
        ("method", result.info.method),
        *(("note", note) for note in result.notes),
    ]


def _labelled(table: pd.DataFrame, index: pd.Index, what: str) -> pd.DataFrame:
    """The table with the levels of its labels as its first columns."""
    return table.set_axis(_named(index, what, table.columns), axis=0).reset_index()


def _named(index: pd.Index, what: str, taken: Iterable[str]) -> pd.Index:
    """The index with a name for every level, each its own and none of those taken."""
    if index.nlevels == 1:
        return index.rename(what)
    used, names = set(taken), list[str]()
    for k, given in enumerate(index.names):
        name = f"{what} level {k + 1}" if given is None else str(given)
        while name in used:
            name = f"{what} {name}"
        used.add(name)
        names.append(name)
    return index.set_names(names)


def export(result: PlanResult, path: str | Path, format: str | None = None, *, overwrite: bool = False) -> Path:
    """Write a plan's tables, see :meth:`PlanResult.export`."""
    target = Path(path).expanduser()
    kind = format_of(target, format)
    if target.exists() and not overwrite:
        raise ProblemError(f"{target}: exists already; name another, or say that it may be replaced")
    if kind in ("csv", "parquet"):
        refuse_foreign(target, {f"{name}.{kind}" for name in tables_of(result)}, f"exported tables ({kind})")
    writers: dict[str, Callable[[PlanResult, Path], None]] = {
        "csv": _write_csv,
        "parquet": _write_parquet,
        "excel": _write_excel,
        "netcdf": _write_netcdf,
    }
    writers[kind](result, target)
    return target


def _write_csv(result: PlanResult, path: Path) -> None:
    with new_folder(path) as partial:
        for name, table in tables_of(result).items():
            (partial / f"{name}.csv").write_bytes(csv_bytes(_rows(table)))


def _write_parquet(result: PlanResult, path: Path) -> None:
    with new_folder(path) as partial:
        for name, table in tables_of(result).items():
            # one column holds words and numbers; Parquet wants one kind
            (table.astype({"value": str}) if name == "plan" else table).to_parquet(
                partial / f"{name}.parquet", index=False
            )


def _write_excel(result: PlanResult, path: Path) -> None:
    write_workbook({name: _rows(table) for name, table in tables_of(result).items()}, path)


def _rows(table: pd.DataFrame) -> Rows:
    """A table as rows of plain values under its headings; what is missing or infinite is left empty."""
    columns = [_plain(table.iloc[:, k]) for k in range(table.shape[1])]
    return [[str(name) for name in table.columns], *map(list, zip(*columns, strict=True))]


def _plain(column: pd.Series) -> list[Any]:
    values = [value.item() if isinstance(value, np.generic) else value for value in column]
    return [None if isinstance(value, float) and not np.isfinite(value) else value for value in values]


# ---- xarray and netCDF -----------------------------------------------------------------------------------------------
def to_xarray(result: PlanResult) -> Any:
    """A plan as an xarray.Dataset, see :meth:`PlanResult.to_xarray`."""
    xarray = need("xarray", "datasets and netCDF files")
    unit = result.unit if isinstance(result.unit, str) else "see product_unit"
    worth = result.objective_unit
    coordinates: dict[str, Any] = {}
    for dimension, index in (("technique", result.activity.index), ("product", result.prices.index)):
        coordinates |= _coordinates(dimension, index)
    if not isinstance(result.unit, str):
        coordinates["product_unit"] = ("product", _texts(result.unit))
    if result.names is not None:
        coordinates["product_name"] = ("product", _texts(result.names))
    use = result.use
    coordinates["limit"] = ("limit", _texts(use.index))
    coordinates["limit_indicator"] = ("limit", _texts(use["indicator"]))
    coordinates["limit_unit"] = ("limit", _texts(use["unit"]))
    variables = {
        "activity": ("technique", result.activity, unit),
        "capacity": ("technique", result.capacities, unit),
        "capacity_rent": ("technique", result.capacity_rents, f"{worth} per unit of activity"),
        "target": ("product", result.targets, unit),
        "consumption": ("product", result.consumption, unit),
        "price": ("product", result.prices, f"{worth} per unit of product"),
        "use": ("limit", use["use"], "see limit_unit"),
        "use_base": ("limit", use["base"], "see limit_unit"),
        "at_least": ("limit", use["at_least"], "see limit_unit"),
        "at_most": ("limit", use["at_most"], "see limit_unit"),
        "rent": ("limit", use["rent"], f"{worth} per unit of indicator"),
    }
    if result.base is not None:
        variables["base"] = ("technique", result.base, unit)
    data = {
        name: (dimension, np.asarray(values, np.float64), {"units": units} if units else {})
        for name, (dimension, values, units) in variables.items()
    }
    words = {str(key).replace(" ", "_"): value for key, value in _summary(result, f"{worth} per unit") if key != "note"}
    words["notes"] = "\n".join(result.notes)
    return xarray.Dataset(data, coordinates, words)


def _coordinates(dimension: str, index: pd.Index) -> dict[str, Any]:
    """Labels as text along the dimension, and one coordinate for each level where there are several."""
    found = {dimension: (dimension, np.array([show(label) for label in index], dtype=str))}
    if index.nlevels > 1:
        # product_unit and product_name are coordinates of their own
        for level, name in enumerate(_named(index, dimension, ("unit", "name")).names):
            found[f"{dimension}_{name}".replace(" ", "_")] = (dimension, _texts(index.get_level_values(level)))
    return found


def _texts(values: Any) -> np.ndarray[Any, Any]:
    found = pd.Index(values)
    if pd.api.types.is_integer_dtype(found.dtype) and (not len(found) or abs(found).max() < 2**31):
        return found.to_numpy(np.int32)
    return np.array([str(value) for value in found], dtype=str)


def _write_netcdf(result: PlanResult, path: Path) -> None:
    """NetCDF 3 with 64-bit offsets, which every reader knows and SciPy writes."""
    content = to_xarray(result).to_netcdf(engine="scipy", format="NETCDF3_64BIT")
    with new_file(path) as stream:
        stream.write(bytes(content))
