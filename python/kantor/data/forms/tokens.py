"""The words of the text form: a line is cut into names, numbers, units and signs, each with its line and column."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import ProblemError

_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      |(?P<arrow>->|→)
      |(?P<bound><=|>=|≤|≥)
      |(?P<comma_number>[+-]?\d+,\d+(?![\w.]))
      |(?P<number>[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
      |(?P<text>"(?:[^"\\]|\\.)*")
      |(?P<unit>\[[^\]\[]*\])
      |(?P<word>[^\W\d](?:[\w.'&%]|-(?!>))*)
      |(?P<sign>[:,+/])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Token:
    """``kind``: word, text, number, unit, arrow, bound, sign or end; ``text`` is its content, unquoted."""

    kind: str
    text: str
    line: int
    column: int


def statements(text: str, where: str) -> list[list[Token]]:
    """The tokens of every statement: a line, with the lines after it that begin with a blank; ``#`` begins a
    comment."""
    found: list[list[Token]] = []
    for number, line in enumerate(text.split("\n"), 1):
        tokens = _cut(line, number, where)
        if not tokens:
            continue
        if line[0] in " \t":
            if not found:
                raise ProblemError(
                    f"{where}, line {number}, column 1: the line begins with a blank, so it continues the one before, "
                    "but there is none"
                )
            found[-1] += tokens
        else:
            found.append(tokens)
    return found


def _cut(line: str, number: int, where: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(line) and line[at] != "#":
        match = _TOKEN.match(line, at)
        place = f"{where}, line {number}, column {at + 1}"
        if match is None:
            raise ProblemError(f"{place}: cannot read {_shown(line, at)!r}{_hint(line[at])}")
        kind = str(match.lastgroup)
        if kind == "comma_number":
            whole = match[0].replace(",", ".")
            raise ProblemError(f"{place}: {match[0]!r}; write {whole} with a decimal point, a comma begins an option")
        if kind != "blank":
            tokens.append(Token(kind, _content(kind, match[0]), number, at + 1))
        at = match.end()
    return tokens


def _content(kind: str, written: str) -> str:
    if kind == "text":
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), written[1:-1])
    if kind == "unit":
        return " ".join(written[1:-1].split())
    return {"→": "->", "≤": "<=", "≥": ">="}.get(written, written)


def _shown(line: str, at: int) -> str:
    return line[at : at + 12].split(" ")[0] or line[at]


def _hint(sign: str) -> str:
    hints = {
        '"': ": the quotation mark is not closed on this line",
        "[": ": the bracket of the unit is not closed",
        "(": '; names with such signs stand in quotation marks: "name (kind)"',
        "-": "; an arrow is written ->",
        "=": "; a limit is written <= or >=",
        "<": "; a limit is written <=",
        ">": "; a limit is written >=",
    }
    return hints.get(sign, '; names that begin with a digit or hold other signs stand in quotation marks: "..."')
