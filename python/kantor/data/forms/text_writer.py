"""The text form of statements: :func:`kantor.data.forms.text.parse` reads the same statements back."""

from __future__ import annotations

import re

from .statements import TARGET, Label, Named, Statements, Technique, Term

_WORDS = re.compile(r"[^\W\d](?:[\w.'&%]|-(?!>))*(?: [^\W\d](?:[\w.'&%]|-(?!>))*)*")
_WIDTH = 110


def written(said: Statements) -> str:
    """The statements as text, one a line; numbers with all their digits."""
    lines = [f"economy {quoted(said.name)}"] if said.name else []
    lines += [f"year {said.year}"] if said.year is not None else []
    lines += [f"licence {quoted(said.licence)}"] if said.licence else []
    lines += [f"levels {name(said.levels)}"] if said.levels is not None else []
    lines += [f"note {quoted(note)}" for note in said.notes]
    lines += ["", *(_factor(named) for named in said.factors)] if said.factors else []
    lines += ["", *(_good(named) for named in said.goods)] if said.goods else []
    lines += ["", *(line for technique in said.techniques for line in _technique(technique))]
    targets: dict[Label, list[Term]] = {}
    for category, term in said.targets:
        targets.setdefault(category, []).append(term)
    lines += [""] if targets else []
    for category, terms in targets.items():
        head = "target" if category == TARGET else f"target {name(category)}:"
        lines += _folded(head, [_term(term) for term in terms], [])
    lines += [""] if said.limits else []
    for bound in said.limits:
        sign = "<=" if bound.side == "at most" else ">="
        lines.append(f"limit {name(bound.term.label)} {sign} {number(bound.term.amount)}{_unit(bound.term.unit)}")
    return "\n".join(lines) + "\n"


def name(label: Label) -> str:
    """A name as the grammar writes it: bare words where that can be read back, else in quotation marks."""
    parts = label if isinstance(label, tuple) else (label,)
    return " / ".join(part if _WORDS.fullmatch(part) else quoted(part) for part in parts)


def quoted(text: str) -> str:
    """A text in quotation marks on one line."""
    inside = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{inside}"'


def number(value: float) -> str:
    """A number with all its digits, whole ones without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _unit(unit: str | None) -> str:
    return f" [{unit}]" if unit else ""


def _good(named: Named) -> str:
    return f"good {name(named.label)}{_unit(named.unit)}" + (f" {quoted(named.title)}" if named.title else "")


def _factor(named: Named) -> str:
    text = f"{'emission' if named.emission else 'factor'} {name(named.label)}{_unit(named.unit)}"
    text += "".join(f", also {name(alias)}" for alias in named.also)
    return text + (f", base {number(named.base)}" if named.base is not None else "")


def _term(term: Term) -> str:
    return f"{number(term.amount)} {name(term.label)}{_unit(term.unit)}"


def _technique(technique: Technique) -> list[str]:
    parts = [_term(term) for term in technique.inputs]
    made = [_term(term) for term in technique.outputs]
    tail = [f"{word} {number(value)}" for word, value in _options(technique) if value is not None]
    return _folded(f"technique {name(technique.label)}:", parts, made, tail)


def _options(technique: Technique) -> tuple[tuple[str, float | None], ...]:
    return ("capacity", technique.capacity), ("activity", technique.activity)


def _folded(head: str, before: list[str], after: list[str], tail: list[str] | None = None) -> list[str]:
    """Terms after a head, over several lines where one is too long; lines that continue begin with blanks."""
    pieces = [part if k == 0 else f"+ {part}" for k, part in enumerate(before)]
    pieces += [f"-> {part}" if k == 0 else f"+ {part}" for k, part in enumerate(after)]
    for word in tail or []:
        pieces[-1] += f", {word}"
    lines, line = [], head
    for piece in pieces:
        if len(line) + len(piece) > _WIDTH and line.strip():
            lines.append(line)
            line = "   "
        line += f" {piece}"
    return [*lines, line]
