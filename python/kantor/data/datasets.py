"""Economies by name: packaged examples, public data sets beside the project, and the user's own folders and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import OptionError, ProblemError, suggest
from . import inventories, public
from .economy import Economy
from .files import load_path
from .tables import MissingFile

EXAMPLES = Path(__file__).resolve().parent / "example"


@dataclass(frozen=True)
class DataSet:
    """A public data set: its folder, where it comes from, the function that reads it and the options that one takes."""

    folder: str
    origin: str
    read: Callable[..., Economy]
    options: tuple[str, ...]


DATA_SETS = {
    "us_useeio_2012_411": DataSet("us_useeio_2012_411", public.US_ORIGIN, public.us_useeio, ("technology",)),
    "sweden_scb_sut_2008_2016": DataSet(
        "sweden_scb_sut_2008_2016", public.SWEDEN_ORIGIN, public.sweden, ("year", "assumption")
    ),
    "wiod2013": DataSet("wiod2013", public.WIOD_ORIGIN, public.wiod, ("year",)),
    "premise_inventories": DataSet(
        "premise_inventories", inventories.ORIGIN, inventories.premise, ("link", "products", "files", "byproducts")
    ),
}
SHORT_NAMES = {
    "sweden": "sweden_scb_sut_2008_2016",
    "us": "us_useeio_2012_411",
    "wiod": "wiod2013",
    "premise": "premise_inventories",
}


def packaged_economies() -> dict[str, Path]:
    """Name -> folder of the economies that ship with kantor.

    >>> sorted(packaged_economies())
    ['eu_2006', 'four_goods', 'us_2012']
    """
    return {path.parent.name: path.parent for path in sorted(EXAMPLES.glob("*/economy.toml"))}


def packaged_scenarios() -> dict[str, Path]:
    """Name -> scenario file of the examples that ship with kantor."""
    return {path.stem: path for path in sorted(EXAMPLES.glob("*.toml"))}


def search_folders() -> list[Path]:
    """Where data sets are looked for, in order: $KANTOR_DATA alone if it is set; else ``../shared/data`` beside the
    project's checkout, ``../shared/data`` beside the current folder, and the user's data folder for kantor."""
    given = os.environ.get("KANTOR_DATA")
    if given:
        return [Path(given).expanduser()]
    found = []
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file() or (checkout / ".git").exists():
        found.append(checkout.parent / "shared" / "data")
    found += [Path.cwd().parent / "shared" / "data", user_folder()]
    return list(dict.fromkeys(found))


def user_folder() -> Path:
    """The user's data folder for kantor, where the operating system wants it (~/.local/share/kantor on Linux)."""
    return Path(platformdirs.user_data_dir("kantor", appauthor=False))


def data_folder(name: str | None = None) -> Path:
    """The folder that holds the data sets or, with a name, that of one data set.

    Raises ProblemError that names the folders looked at and, for a known data set, its source and licence.
    """
    looked = search_folders()
    if name is None:
        for folder in looked:
            if folder.is_dir():
                return folder
        raise ProblemError(
            f"no folder with data sets; looked at {_paths(looked)}; set KANTOR_DATA to the folder that holds them"
        )
    known = DATA_SETS.get(SHORT_NAMES.get(name, name))
    inside = known.folder if known is not None else name
    for folder in looked:
        if (folder / inside).is_dir():
            return folder / inside
    origin = f" It is {known.origin}" if known is not None else ""
    raise ProblemError(
        f"data set {name!r} is not here; looked for {inside}/ in {_paths(looked)}. "
        f"Put it there or set KANTOR_DATA to the folder that holds it.{origin}"
    )


def _paths(folders: list[Path]) -> str:
    return ", ".join(str(folder) for folder in folders)


def load_economy(name_or_path: str | Path, **options: Any) -> Economy:
    """Load an economy by the name of a data set, or from a path.

    ======================== ==================================================================== ====================
    name                     what                                                                 options
    ======================== ==================================================================== ====================
    us_2012                  United States 2012, 23 sectors, packaged
    eu_2006                  European Union 2006, five sectors, packaged
    four_goods               Cockshott's four goods, packaged
    us_useeio_2012_411       United States 2012, 411 sectors, 23 indicators                       technology="total",
                                                                                                  "domestic"
    sweden_scb_sut_2008_2016 Sweden, supply and use, 59 products x 59 industries; also "sweden"   year=2015,
                                                                                                  assumption="joint"
    wiod2013                 world, 41 regions x 35 sectors, CO2 and employment                   year=2011
    premise_inventories      4,125 processes in physical units, several for a product             link="product",
                             (:mod:`kantor.data.inventories`)                                     products=, files=
    ======================== ==================================================================== ====================

    A path is a folder with ``economy.toml`` (see :mod:`kantor.data.files`), one written by ``save_economy``, a text,
    workbook or folder of CSV files (:func:`kantor.read_economy`), or one square table with ``table="A"`` or
    ``table="Z"``. Every file read is listed with its SHA-256 in ``sources``.

    Raises ProblemError for an unknown name (the nearest is suggested), a data set that is not here (with the folders
    looked at, its source and licence) or bad content (file, row and column); OptionError for an unknown option.

    >>> load_economy("eu_2006").n_goods
    5
    """
    name = str(name_or_path)
    known = SHORT_NAMES.get(name, name)
    if known in DATA_SETS:
        return _load_known(known, options)
    packaged = packaged_economies()
    if known in packaged:
        return load_path(packaged[known], **options)
    path = Path(name_or_path).expanduser()
    if path.exists():
        return load_path(path, **options)
    for folder in search_folders():
        if (folder / name).is_dir() and not path.is_absolute():
            return load_path(folder / name, **options)
    looks_like_path = path.is_absolute() or len(path.parts) > 1 or bool(path.suffix)
    if looks_like_path:
        raise ProblemError(f"{path}: no such file or folder; a path is read from {Path.cwd()}")
    raise ProblemError(
        f"unknown economy {name!r}{suggest(name, [*packaged, *DATA_SETS, *SHORT_NAMES])}; "
        f"nor is there a file or folder of that name in {_paths([Path.cwd(), *search_folders()])}"
    )


def _load_known(name: str, options: dict[str, Any]) -> Economy:
    data_set = DATA_SETS[name]
    for option in options:
        if option not in data_set.options:
            raise OptionError(f"{name}: unknown option {option!r}" + suggest(option, data_set.options))
    try:
        return data_set.read(data_folder(name), **options)
    except MissingFile as error:
        raise ProblemError(f"{error}. The file is part of {data_set.origin}") from error
