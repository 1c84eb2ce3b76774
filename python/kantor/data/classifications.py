"""Countries in common classifications (continents, EU, OECD, ...), by the package country_converter."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import OptionError, ProblemError, need, suggest

if TYPE_CHECKING:
    from .economy import Economy


def country_groups(countries: Iterable[str], to: str = "continent", rest: str | None = None) -> dict[str, str]:
    """The group of each country in a classification of country_converter: "continent", "EU27", "OECD", "UNregion", ...

    Countries are known by ISO codes or names, in any mixture. One that is in no group ("RoW", or a country outside the
    EU for "EU27") keeps its own name, or gets the name ``rest``. The classifications that are memberships with a year
    (EU27, OECD) give the name of the classification to their members.

    Raises OptionError for an unknown classification, MissingPackage without country_converter.

    >>> country_groups(["DEU", "Brazil", "RoW"], "continent")
    {'DEU': 'Europe', 'Brazil': 'America', 'RoW': 'RoW'}
    >>> country_groups(["DEU", "NOR"], "EU27", rest="others")
    {'DEU': 'EU27', 'NOR': 'others'}
    """
    package: Any = need("country_converter", "classifications of countries")
    converter = _converter(package)
    known = [str(name) for name in converter.valid_class]
    if to not in known:
        raise OptionError(f"to: {to!r} is no classification of country_converter" + suggest(to, known))
    names = [str(country) for country in countries]
    logger = logging.getLogger("country_converter")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what it does not find is handled here
    try:
        found = converter.pandas_convert(pd.Series(names, dtype=object), to=to, not_found=None)
    finally:
        logger.setLevel(level)
    groups: dict[str, str] = {}
    membership = converter.data[to].dropna()
    years = pd.api.types.is_numeric_dtype(membership) or membership.map(lambda v: isinstance(v, int | float)).all()
    for name, group in zip(names, found, strict=True):
        if isinstance(group, list):
            raise ProblemError(f"country {name!r} is ambiguous: {', '.join(map(str, group))}")
        inside = group is not None and not (isinstance(group, float) and pd.isna(group)) and group != name
        groups[name] = (to if years else str(group)) if inside else (rest or name)
    return groups


def _converter(package: Any) -> Any:
    """The converter; where a new pandas reads the package's empty codes as missing, they are made empty again."""
    try:
        return package.CountryConverter()
    except TypeError:
        data_file = package.country_converter.COUNTRY_DATA_FILE
        table = pd.read_csv(data_file, sep="\t", encoding="utf-8", keep_default_na=False, dtype=str)
        for name in table.columns:
            numbers = pd.to_numeric(table[name].where(table[name] != ""), errors="coerce")
            if name == "obsolete" or (numbers.notna() == (table[name] != "")).all():
                table[name] = numbers.astype("Int64")
            elif name not in ("name_short", "name_official", "regex", "ISO2", "ISO3"):
                table[name] = table[name].where(table[name] != "")
        return package.CountryConverter(country_data=table)


def by_region(eco: Economy, to: str = "continent", rest: str | None = None, level: str = "region") -> Economy:
    """A multi-regional economy added up to the groups of a classification, products and final demand alike.

    ``to``, ``rest`` : see :func:`country_groups`; ``level``: the level of the labels that holds the countries.

    >>> import kantor as kt, pandas as pd
    >>> eco = kt.Economy.from_mrio(Z=[[1.0, 2.0], [3.0, 4.0]], Y=[[5.0, 0.0], [0.0, 6.0]], regions=["DEU", "FRA"],
    ...                            sectors=["all"], demand_categories=["use"])
    >>> small = by_region(eco)
    >>> small.x.to_dict(), small.demand("Europe").to_dict()
    ({('Europe', 'all'): 21.0}, {('Europe', 'all'): 11.0})
    """
    if level not in eco.products.names:
        names = [str(name) for name in eco.products.names]
        raise ProblemError(f"{eco.name!r}: the products have no level {level!r}" + suggest(level, names))
    groups = country_groups(list(dict.fromkeys(eco.products.get_level_values(level))), to, rest)
    small = eco.aggregate({level: groups}, name=f"{eco.name} by {to}")
    columns = small.final_demand.columns
    if level not in columns.names:
        return small
    own = columns.get_level_values(level)
    at = columns.names.index(level)
    # a region that only demands belongs to its own group, like one that makes something
    more = country_groups([str(name) for name in dict.fromkeys(own) if name not in groups], to, rest)
    labels = [(*label[:at], (groups | more)[label[at]], *label[at + 1 :]) for label in columns]
    merged = small.final_demand.set_axis(pd.MultiIndex.from_tuples(labels, names=columns.names), axis=1)
    return small.replace(final_demand=merged.T.groupby(level=list(range(columns.nlevels)), sort=False).sum().T)
