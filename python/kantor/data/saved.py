"""Economies written to a folder and read back with identical values.

``economy.json`` holds the words; matrices are NPZ (CSR), labelled columns Parquet. The folder is written whole or not
at all (:mod:`kantor.atomic`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..atomic import new_folder
from ..errors import ProblemError
from .economy import Economy, Expansion, Source
from .labels import show
from .sparse_table import SparseTable
from .tables import TableReader

# Above this number of entries compression costs more time than the disk space is worth.
COMPRESS_BELOW = 5_000_000


def save_economy(eco: Economy, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write an economy as a folder that :func:`kantor.data.datasets.load_economy` reads back with identical values.

    Raises ProblemError if the folder exists (unless ``overwrite``) or cannot be written; nothing is left behind then.
    """
    target = Path(folder).expanduser()
    if target.exists() and not overwrite:
        raise ProblemError(f"{target}: exists already; give overwrite=True to replace it")
    if target.exists() and not (target / "economy.json").is_file():
        raise ProblemError(f"{target}: exists and is no saved economy; it is not replaced")
    with new_folder(target) as partial:
        try:
            _write(eco, partial)
        except (ValueError, TypeError) as error:  # labels that are neither text nor numbers
            raise ProblemError(f"{target}: cannot be written ({error})") from error
    return target


def _write(eco: Economy, folder: Path) -> None:
    tables: dict[str, Any] = {"A": "A.npz", "B": None, "technologies": {}}
    _write_matrix(eco.input_coefficients, folder / "A.npz")
    if not eco.is_square:
        tables["B"] = "B.npz"
        _write_matrix(eco.output_coefficients, folder / "B.npz")
    for number, (name, table) in enumerate(eco.technologies.items()):
        if name != eco.technology:
            tables["technologies"][name] = f"technology_{number}.npz"
            _write_matrix(table, folder / f"technology_{number}.npz")
    products = _label_columns(eco.products)
    for key in ("unit", "product_names"):
        value = getattr(eco, key)
        if isinstance(value, pd.Series):
            products[f"kantor {key}"] = value.to_numpy()
    if eco.expansion is not None:
        products["kantor parent"] = eco.expansion.parent
        products["kantor share"] = eco.expansion.share
        if eco.expansion.unit_scale is not None:
            products["kantor unit_scale"] = eco.expansion.unit_scale
    pd.DataFrame(products).to_parquet(folder / "products.parquet", index=False)
    techniques = _label_columns(eco.techniques) if not eco.is_square else {}
    techniques["kantor activity"] = eco.activity.to_numpy()
    techniques["kantor capacity"] = eco.capacities.to_numpy() if eco.capacities is not None else None
    pd.DataFrame(techniques).to_parquet(folder / "techniques.parquet", index=False)
    _write_columns(eco.final_demand.to_numpy(), eco.final_demand.columns, folder / "demand.parquet")
    tables["S"] = "S.npz"
    _write_matrix(eco.intensity_matrix, folder / "S.npz")
    words = {"format": 1, "kind": "economy", **_words(eco), "tables": tables}
    (folder / "economy.json").write_text(json.dumps(words, indent=1, ensure_ascii=False), encoding="utf-8")


def _words(eco: Economy) -> dict[str, Any]:
    expansion = eco.expansion
    return {
        "name": eco.name,
        "year": eco.year,
        "unit": eco.unit if isinstance(eco.unit, str) else None,
        "licence": eco.licence,
        "product_levels": _names(eco.products),
        "technique_levels": _names(eco.techniques),
        "product_name_title": None if eco.product_names is None else eco.product_names.name,
        "categories": _labels(eco.final_demand.columns),
        "category_levels": _names(eco.final_demand.columns),
        "indicators": _labels(eco.indicators),
        "indicator_units": [str(u) for u in eco.indicator_units] if eco.indicator_units is not None else [],
        "aliases": eco.aliases,
        "limits": {name: [side if np.isfinite(side) else None for side in sides] for name, sides in eco.limits.items()},
        "reference_use": None if eco.reference_use is None else eco.reference_use.tolist(),
        "technology": eco.technology,
        "demand_technology": eco.demand_technology,
        "total_categories": eco.total_categories,
        "expansion": None
        if expansion is None
        else {
            "sectors": _labels(expansion.sectors),
            "sector_levels": _names(expansion.sectors),
            "seed": expansion.seed,
            "cover": expansion.cover,
            "kmax": expansion.kmax,
            "sigma_units": expansion.sigma_units,
            "jitter": expansion.jitter,
        },
        "notes": eco.notes,
        "sources": [{"path": source.path, "sha256": source.sha256} for source in eco.sources],
    }


def _names(index: pd.Index) -> list[str | None]:
    return [None if name is None else str(name) for name in index.names]


def _labels(index: pd.Index) -> list[Any]:
    """Labels as JSON values; a label of several levels becomes a list."""
    plain = [label.tolist() if isinstance(label, np.generic) else label for label in index]
    for label in plain:
        if not all(isinstance(part, str | int) for part in (label if isinstance(label, tuple) else (label,))):
            raise ProblemError(
                f"label {show(label)!r} is a {type(label).__name__}; only texts and whole numbers can be saved"
            )
    return [list(label) if isinstance(label, tuple) else label for label in plain]


def _label_columns(index: pd.Index) -> dict[str, Any]:
    return {f"label {level}": index.get_level_values(level).to_numpy() for level in range(index.nlevels)}


def _write_matrix(matrix: sp.csr_array, path: Path) -> None:
    sp.save_npz(path, matrix, compressed=matrix.nnz < COMPRESS_BELOW)


def _write_columns(values: np.ndarray, labels: pd.Index, path: Path) -> None:
    """Columns of numbers; they carry readable titles where these differ, and are read back by position."""
    titles = [show(label) for label in labels]
    if len(set(titles)) < len(titles):
        titles = [f"{number}: {title}" for number, title in enumerate(titles)]
    pd.DataFrame(np.ascontiguousarray(values), columns=titles).to_parquet(path, index=False)


def load_saved(words: dict[str, Any], reader: TableReader) -> Economy:
    """The economy that :func:`save_economy` wrote."""
    try:
        return _load(words, reader)
    except KeyError as error:
        raise ProblemError(f"{reader.folder}: the saved economy lacks {error}") from error


def _load(words: dict[str, Any], reader: TableReader) -> Economy:
    goods = reader.parquet("products.parquet")
    ways = reader.parquet("techniques.parquet")
    products = _index([goods[f"label {k}"] for k in range(len(words["product_levels"]))], words["product_levels"])
    square = words["tables"]["B"] is None
    levels = words["technique_levels"]
    techniques = products if square else _index([ways[f"label {k}"] for k in range(len(levels))], levels)
    indicators = _from_labels(words["indicators"], None)
    categories = _from_labels(words["categories"], words["category_levels"])
    demand = reader.parquet("demand.parquet").to_numpy(dtype=np.float64).reshape(len(products), len(categories))
    title = words["product_name_title"]
    names = goods.get("kantor product_names")
    return Economy(
        name=words["name"],
        year=words["year"],
        products=products,
        techniques=techniques,
        output_coefficients=sp.eye_array(len(products), format="csr")
        if square
        else reader.matrix(words["tables"]["B"]),
        input_coefficients=reader.matrix(words["tables"]["A"]),
        intensities=SparseTable(indicators, techniques, _uses(words, reader, (len(indicators), len(techniques)))),
        final_demand=pd.DataFrame(demand, index=products, columns=categories),
        activity=pd.Series(ways["kantor activity"].to_numpy(), techniques),
        capacities=pd.Series(ways["kantor capacity"].to_numpy(), techniques),
        unit=words["unit"] if words["unit"] is not None else pd.Series(goods["kantor unit"].to_numpy(), products),
        indicator_units=pd.Series(words["indicator_units"], index=indicators, dtype=object),
        aliases=words["aliases"],
        limits={
            name: (-np.inf if least is None else least, np.inf if most is None else most)
            for name, (least, most) in words.get("limits", {}).items()
        },
        technology=words["technology"],
        technologies={name: reader.matrix(file) for name, file in words["tables"]["technologies"].items()},
        demand_technology=words["demand_technology"],
        total_categories=words["total_categories"],
        product_names=None if names is None else pd.Series(names.to_numpy(), products, name=title),
        reference_use=None if words.get("reference_use") is None else pd.Series(words["reference_use"], indicators),
        expansion=_expansion(words["expansion"], goods),
        licence=words["licence"],
        notes=words["notes"],
        sources=[*reader.sources, *(Source(**source) for source in words["sources"])],
    )


def _uses(words: dict[str, Any], reader: TableReader, shape: tuple[int, int]) -> sp.csr_array:
    """Intensities; early folders hold them as a table of numbers, a column for every indicator."""
    if "S" in words["tables"]:
        return reader.matrix(words["tables"]["S"])
    return sp.csr_array(reader.parquet("intensities.parquet").to_numpy(dtype=np.float64).reshape(shape[::-1]).T)


def _index(columns: list[Any], names: list[str | None]) -> pd.Index:
    if len(columns) == 1:
        return pd.Index(columns[0].to_numpy(), name=names[0])
    return pd.MultiIndex.from_arrays(columns, names=names)


def _from_labels(labels: list[Any], names: list[str | None] | None) -> pd.Index:
    if labels and all(isinstance(label, list) for label in labels):
        return pd.MultiIndex.from_tuples([tuple(label) for label in labels], names=names)
    return pd.Index(labels, name=names[0] if names else None, dtype=None if labels else object)


def _expansion(words: dict[str, Any] | None, goods: pd.DataFrame) -> Expansion | None:
    if words is None:
        return None
    scale = goods.get("kantor unit_scale")
    return Expansion(
        parent=goods["kantor parent"].to_numpy(dtype=np.int32),
        share=goods["kantor share"].to_numpy(dtype=np.float64),
        unit_scale=None if scale is None else scale.to_numpy(dtype=np.float64),
        sectors=_from_labels(words["sectors"], words["sector_levels"]),
        seed=words["seed"],
        cover=words["cover"],
        kmax=words["kmax"],
        sigma_units=words["sigma_units"],
        jitter=words.get("jitter", 0.0),
    )
