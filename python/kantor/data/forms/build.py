"""From statements to an economy: every check that more than one statement has a part in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ...errors import ProblemError, suggest
from ..economy import Economy
from ..labels import as_index, show
from ..notes import negative_demand, negative_inputs
from ..sparse_table import SparseTable
from .statements import Bound, Label, Named, Statements, Technique, Term


def build(said: Statements) -> Economy:
    """The economy that the statements describe; ProblemError with the places of what does not fit."""
    goods, factors = _Names(said.goods, "good"), _Names(said.factors, "factor")
    _check_apart(goods, factors)
    _add_made_goods(said, goods, factors)
    aliases = _aliases(factors, goods)
    said = replace(said, limits=[_under_its_label(bound, aliases) for bound in said.limits])
    units = _units(said, goods, factors)
    if not said.techniques:
        raise ProblemError(f"{said.where}: no technique; write what is made from what")
    techniques = _labels([t.label for t in said.techniques], [t.place for t in said.techniques], "technique")
    products = _labels(list(goods.at), [n.place for n in goods.named.values()], "good")
    if said.levels is not None:
        techniques, products = (_with_levels(index, said) for index in (techniques, products))
    tables = _tables(said, goods, factors)
    made = np.asarray(tables["output"].sum(axis=1)).ravel() > 0
    demand = _demand(said, goods, factors, products, made)
    notes = list(said.notes)
    if not made.all():
        lacking = [show(label) for label, there in zip(goods.at, made, strict=True) if not there]
        notes.append(f"no technique makes {', '.join(lacking[:5])}" + (", ..." if len(lacking) > 5 else ""))
    notes += negative_inputs(tables["input"], products, techniques) + negative_demand(demand)
    names = pd.Index([show(label) for label in factors.at], dtype=object)
    bases = [named.base for named in factors.named.values()]
    if any(base is not None for base in bases) and any(base is None for base in bases):
        baseless = next(n for n in factors.named.values() if n.base is None)
        raise ProblemError(
            f"{baseless.place}: {show(baseless.label)!r} has no base, others have; give all of them or none"
        )
    return Economy(
        name=said.name or said.where.rsplit("/", 1)[-1].rsplit(".", 1)[0],
        year=said.year,
        products=products,
        techniques=techniques,
        output_coefficients=tables["output"],
        input_coefficients=tables["input"],
        intensities=SparseTable(names, techniques, tables["use"]),
        final_demand=demand,
        activity=pd.Series([t.activity or 0.0 for t in said.techniques], techniques),
        capacities=pd.Series([np.inf if t.capacity is None else t.capacity for t in said.techniques], techniques),
        limits=_limits(said, factors, goods),
        unit=_shared([units.get(label, "") for label in goods.at], products),
        indicator_units=pd.Series([units.get(label, "") for label in factors.at], names, dtype=object),
        aliases=aliases,
        product_names=_titles(goods, products),
        reference_use=pd.Series(bases, names, dtype=np.float64) if bases and bases[0] is not None else None,
        licence=said.licence,
        notes=list(dict.fromkeys(notes)),
    )


class _Names:
    """Goods or factors by name, in order: ``at`` their numbers, ``named`` their declarations."""

    def __init__(self, declared: list[Named], what: str) -> None:
        self.at: dict[Label, int] = {}
        self.named: dict[Label, Named] = {}
        for one in declared:
            if one.label in self.at:
                raise ProblemError(
                    f"{one.place}: {what} {show(one.label)!r} is declared twice, first at {self.named[one.label].place}"
                )
            self.add(one)

    def add(self, one: Named) -> None:
        self.at[one.label] = len(self.at)
        self.named[one.label] = one


def _check_apart(goods: _Names, factors: _Names) -> None:
    for label in factors.at:
        if label in goods.at:
            raise ProblemError(
                f"{factors.named[label].place}: {show(label)!r} is a factor here and a good at "
                f"{goods.named[label].place}; it can only be one of them"
            )


def _add_made_goods(said: Statements, goods: _Names, factors: _Names) -> None:
    """Whatever a technique makes is a good, declared or not."""
    seen: dict[Label, Technique] = {}
    for technique in said.techniques:
        if technique.label in seen:
            raise ProblemError(
                f"{technique.place}: technique {show(technique.label)!r} stands here again, first at "
                f"{seen[technique.label].place}; give every technique its own name"
            )
        seen[technique.label] = technique
        for term in technique.outputs:
            if term.label not in goods.at and term.label not in factors.at:
                goods.add(Named(term.label, None, term.place))


def _units(said: Statements, goods: _Names, factors: _Names) -> dict[Label, str]:
    """The unit of every good and factor; two different ones for one of them are an error that names both places."""
    found: dict[Label, tuple[str, str]] = {}

    def check(label: Label, unit: str | None, place: str) -> None:
        if unit is None:
            return
        unit = " ".join(unit.split())
        first = found.setdefault(label, (unit, place))
        if first[0] != unit:
            raise ProblemError(
                f"{place}: {show(label)!r} is in {unit!r} here and in {first[0]!r} at {first[1]}; a good has one unit, "
                "convert one of the amounts"
            )

    for names in (goods, factors):
        for one in names.named.values():
            check(one.label, one.unit, one.place)
    terms = [term for t in said.techniques for term in (*t.inputs, *t.outputs)]
    terms += [term for _, term in said.targets] + [bound.term for bound in said.limits]
    for term in terms:
        check(term.label, term.unit, term.place)
    return {label: unit for label, (unit, _) in found.items()}


def _tables(said: Statements, goods: _Names, factors: _Names) -> dict[str, sp.csr_array]:
    """Outputs, inputs and use of factors per unit of activity, as (rows, techniques)."""
    cells: dict[str, list[tuple[int, int, float]]] = {"output": [], "input": [], "use": []}
    for j, technique in enumerate(said.techniques):
        if not any(term.label in goods.at and term.amount > 0 for term in technique.outputs):
            raise ProblemError(
                f"{technique.place}: technique {show(technique.label)!r} makes nothing; write what it makes, "
                "an output greater than zero of some good, or leave it out"
            )
        for side, terms in (("input", technique.inputs), ("output", technique.outputs)):
            seen: dict[Label, Term] = {}
            for term in terms:
                if term.label in seen:
                    raise ProblemError(
                        f"{term.place}: {show(term.label)!r} stands twice among the {side}s of technique "
                        f"{show(technique.label)!r}, first at {seen[term.label].place}; add the amounts up"
                    )
                seen[term.label] = term
                table, row = _row(term, side, technique, goods, factors)
                cells[table].append((row, j, term.amount))
    shapes = {"output": len(goods.at), "input": len(goods.at), "use": len(factors.at)}
    return {key: _matrix(entries, (shapes[key], len(said.techniques))) for key, entries in cells.items()}


def _row(term: Term, side: str, technique: Technique, goods: _Names, factors: _Names) -> tuple[str, int]:
    """The table and row of a term; an unknown name, or one on the wrong side, is an error."""
    if term.label in goods.at:
        if side == "output" and term.amount < 0:
            raise ProblemError(
                f"{term.place}: technique {show(technique.label)!r} makes {term.amount!r} of {show(term.label)!r}; "
                "write it among the inputs"
            )
        return side, goods.at[term.label]
    if term.label not in factors.at:
        raise ProblemError(
            f"{term.place}: {show(term.label)!r} is made by no technique and declared nowhere"
            + suggest(show(term.label), [show(label) for label in (*goods.at, *factors.at)])
            + "; if it comes from outside, declare it as a factor"
        )
    named = factors.named[term.label]
    if named.emission != (side == "output"):
        where = "beside the outputs" if named.emission else "among the inputs"
        other = "a factor that is used" if named.emission else "an emission"
        raise ProblemError(
            f"{term.place}: {show(term.label)!r} was declared as {'an emission' if named.emission else 'a factor'} at "
            f"{named.place}, so its amounts stand {where}; move it, or declare it as {other}"
        )
    return "use", factors.at[term.label]


def _matrix(entries: list[tuple[int, int, float]], shape: tuple[int, int]) -> sp.csr_array:
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    place = np.asarray(rows, np.int32), np.asarray(columns, np.int32)
    return sp.csr_array(sp.coo_array((np.asarray(values, np.float64), place), shape=shape))


def _demand(
    said: Statements, goods: _Names, factors: _Names, products: pd.Index, made: np.ndarray[Any, Any]
) -> pd.DataFrame:
    """Targets as products x categories."""
    categories = list(dict.fromkeys(category for category, _ in said.targets))
    for category, term in said.targets:
        if len(categories) > 1 and str(category).casefold() == "total":
            raise ProblemError(f"{term.place}: 'total' is the sum of all categories; call this one otherwise")
    values = np.zeros((len(goods.at), len(categories)))
    seen: dict[tuple[Label, Label], Term] = {}
    for category, term in said.targets:
        if term.label not in goods.at:
            factor = "; it is a factor, which nothing makes: limit it instead" if term.label in factors.at else ""
            raise ProblemError(
                f"{term.place}: the target {show(term.label)!r} is no good"
                + (factor or suggest(show(term.label), [show(label) for label in goods.at]))
            )
        row = goods.at[term.label]
        if not made[row] and term.amount > 0:
            raise ProblemError(
                f"{term.place}: no technique makes {show(term.label)!r}, which is a target; add a technique that "
                "makes it "
                "(one without inputs, with a capacity, for what comes from outside), or drop the target"
            )
        first = seen.setdefault((category, term.label), term)
        if first is not term:
            raise ProblemError(
                f"{term.place}: the target {show(term.label)!r} stands here again, first at {first.place}; add them up"
            )
        values[row, categories.index(category)] = term.amount
    levels = {len(category) if isinstance(category, tuple) else 1 for category in categories}
    if len(levels) > 1:
        raise ProblemError(
            f"{said.where}: categories of targets have {sorted(levels)} levels, expected the same of all"
        )
    columns = as_index(categories, "categories") if categories else pd.Index([], dtype=object)
    return pd.DataFrame(values, products, columns)


def _limits(said: Statements, factors: _Names, goods: _Names) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    places: dict[tuple[str, str], str] = {}
    for bound in said.limits:
        label = bound.term.label
        if label not in factors.at:
            good = "; it is a good: limit its techniques by capacities" if label in goods.at else ""
            raise ProblemError(
                f"{bound.term.place}: the limit is on {show(label)!r}, which is no factor"
                + (good or suggest(show(label), [show(k) for k in factors.at]))
            )
        name = show(label)
        if (name, bound.side) in places:
            raise ProblemError(
                f"{bound.term.place}: {name!r} is limited to {bound.side} twice, first at {places[name, bound.side]}"
            )
        places[name, bound.side] = bound.term.place
        least, most = found.get(name, (-np.inf, np.inf))
        found[name] = (least, bound.term.amount) if bound.side == "at most" else (bound.term.amount, most)
        if found[name][0] > found[name][1]:
            raise ProblemError(
                f"{bound.term.place}: {name!r} is to be at least {found[name][0]!r} and at most {found[name][1]!r}"
            )
    return found


def _under_its_label(bound: Bound, aliases: dict[str, str]) -> Bound:
    label = aliases.get(show(bound.term.label), bound.term.label)
    return replace(bound, term=replace(bound.term, label=label))


def _aliases(factors: _Names, goods: _Names) -> dict[str, str]:
    out: dict[str, str] = {}
    names = {show(label).casefold(): label for names in (goods, factors) for label in names.at}
    for label, named in factors.named.items():
        for alias in named.also:
            if names.get(alias.casefold(), label) != label:
                raise ProblemError(f"{named.place}: {alias!r} is the name of something else; it can only stand for one")
            if out.setdefault(alias, show(label)) != show(label):
                raise ProblemError(f"{named.place}: {alias!r} also stands for {out[alias]!r}")
    return out


def _labels(labels: list[Label], places: list[str], what: str) -> pd.Index:
    """Labels as an index; all have the same number of levels."""
    levels = [len(label) if isinstance(label, tuple) else 1 for label in labels]
    for label, count, place in zip(labels, levels, places, strict=True):
        if count != levels[0]:
            raise ProblemError(
                f"{place}: {what} {show(label)!r} has {count} level(s) of names, {show(labels[0])!r} has {levels[0]}; "
                "write all of them with the same number"
            )
    return as_index(labels, f"{what}s")


def _with_levels(index: pd.Index, said: Statements) -> pd.Index:
    assert said.levels is not None
    if index.nlevels != len(said.levels):
        raise ProblemError(
            f"{said.where}: the levels are called {' / '.join(said.levels)}, but {show(index[0])!r} has {index.nlevels}"
        )
    return index.set_names(list(said.levels))


def _shared(units: list[str], products: pd.Index) -> str | pd.Series:
    return units[0] if len(set(units)) == 1 else pd.Series(units, products, name="unit", dtype=object)


def _titles(goods: _Names, products: pd.Index) -> pd.Series | None:
    titles = [named.title for named in goods.named.values()]
    if not any(titles):
        return None
    filled = [title or show(label) for title, label in zip(titles, goods.at, strict=True)]
    return pd.Series(filled, products, name="name", dtype=object)
