"""The text form: an economy written by people, one statement a line.

::

    economy "A village"
    year 2026
    factor labour [hours], also work
    emission CO2 [kg]
    good iron [t] "pig iron"                              # only what needs a unit or another title
    technique mining: 1 labour -> 4 coal [t]
    technique smelting: 2 coal + 1 labour -> 5 iron + 3 CO2, capacity 40
    target 10 iron + 3 coal
    target abroad: 2 iron
    limit labour <= 100 [hours]

Grammar (``{}`` any number of times, ``[]`` perhaps; a unit stands in brackets)::

    economy NAME | year NUMBER | licence TEXT | note TEXT | levels NAME
    good NAME [UNIT] [TEXT]
    factor NAME [UNIT] {, also NAME} {, base NUMBER}          emission likewise
    technique NAME: [TERM {+ TERM}] -> TERM {+ TERM} {, capacity NUMBER} {, activity NUMBER}
    target [NAME:] TERM {+ TERM}
    limit NAME <= NUMBER [UNIT]                               or >=
    TERM = [NUMBER] NAME [UNIT]                               without a number: 1
    NAME = WORD {WORD} or TEXT, with / between levels         TEXT = "...", with \\" and \\\\ inside
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ...errors import ProblemError, suggest
from ..economy import Source
from ..tables import TableReader
from .statements import TARGET, Bound, Label, Named, Statements, Technique, Term
from .tokens import Token, statements


def read_text(path: Path) -> tuple[Statements, list[Source]]:
    """The statements of a file and its hash."""
    reader = TableReader(path.parent)
    try:
        text = reader.bytes(path.name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError(f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start})") from error
    return parse(text, str(path)), reader.sources


def parse(text: str, where: str) -> Statements:
    """The statements of a text; ``where`` names it in messages.

    >>> said = parse("technique mining: 1 labour -> 4 coal [t]", "village")
    >>> said.techniques[0].outputs[0]
    Term(label='coal', amount=4.0, unit='t', place='village, line 1, column 31')
    """
    said = Statements(where)
    for tokens in statements(text, where):
        _Line(tokens, said).read()
    return said


class _Line:
    """One statement, read from left to right."""

    def __init__(self, tokens: list[Token], said: Statements) -> None:
        last = tokens[-1]
        end = Token("end", "", last.line, last.column + max(len(last.text), 1))
        self.tokens, self.said, self.at = [*tokens, end], said, 0

    # ---- moving along --------------------------------------------------------------------------------------------
    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def place(self, token: Token | None = None) -> str:
        token = token or self.next
        return f"{self.said.where}, line {token.line}, column {token.column}"

    def take(self) -> Token:
        token = self.next
        self.at += token.kind != "end"
        return token

    def takes(self, kind: str, text: str | None = None) -> bool:
        """Whether the next token is this one; it is passed over then."""
        found = self.next.kind == kind and (text is None or self.next.text == text)
        self.at += found
        return found

    def fail(self, expected: str) -> ProblemError:
        got = "the end of the line" if self.next.kind == "end" else repr(self.next.text)
        return ProblemError(f"{self.place()}: {got}, expected {expected}")

    # ---- statements ------------------------------------------------------------------------------------------------
    def read(self) -> None:
        first = self.take()
        readers: dict[str, Callable[[Token], None]] = {
            "economy": self.economy,
            "year": self.year,
            "licence": self.licence,
            "note": self.note,
            "levels": self.levels,
            "good": self.good,
            "factor": self.factor,
            "emission": self.factor,
            "technique": self.technique,
            "target": self.target,
            "limit": self.limit,
        }
        if first.kind != "word" or first.text not in readers:
            raise ProblemError(
                f"{self.place(first)}: {first.text!r} begins no statement{suggest(first.text, list(readers))}"
            )
        readers[first.text](first)
        if self.next.kind != "end":
            raise self.fail("the end of the statement")

    def economy(self, first: Token) -> None:
        if self.said.name is not None:
            raise ProblemError(f"{self.place(first)}: the economy has a name already, {self.said.name!r}")
        name = self.name("the name of the economy")
        self.said.name = name if isinstance(name, str) else " / ".join(name)

    def _once(self, first: Token, said: object) -> None:
        if said is not None:
            raise ProblemError(f"{self.place(first)}: {first.text!r} is given twice, first as {said!r}")

    def year(self, first: Token) -> None:
        value = self.number("a year")
        if value != int(value):
            raise ProblemError(f"{self.place(first)}: the year is {value!r}, expected a whole number")
        self._once(first, self.said.year)
        self.said.year = int(value)

    def levels(self, first: Token) -> None:
        self._once(first, self.said.levels)
        names = self.name("the names of the levels, as region / sector")
        self.said.levels = names if isinstance(names, tuple) else (names,)

    def licence(self, first: Token) -> None:
        self._once(first, self.said.licence or None)
        self.said.licence = self.quoted("the licence in quotation marks")

    def note(self, first: Token) -> None:
        self.said.notes.append(self.quoted("the note in quotation marks"))

    def good(self, first: Token) -> None:
        place = self.place()
        label, unit = self.name("the name of a good"), self.unit()
        title = self.take().text if self.next.kind == "text" else None
        self.said.goods.append(Named(label, unit, place, title))

    def factor(self, first: Token) -> None:
        place = self.place()
        label, unit = self.name(f"the name of the {first.text}"), self.unit()
        if isinstance(label, tuple):
            raise ProblemError(f"{place}: a {first.text} has a name of one level, got {' / '.join(label)!r}")
        also: list[str] = []
        base = None
        while self.takes("sign", ","):
            option = self.option(("also", "base"))
            if option == "also":
                other = self.name("another name")
                also.append(other if isinstance(other, str) else " / ".join(other))
            else:
                if base is not None:
                    raise self.fail("one base only")
                at, base = self.place(), self.number("the use of the base year")
                if base < 0:
                    raise ProblemError(f"{at}: base {base!r} of {_words(label)!r}, expected a number >= 0")
        self.said.factors.append(Named(label, unit, place, None, first.text == "emission", tuple(also), base))

    def technique(self, first: Token) -> None:
        made = Technique(self.name("the name of the technique"), self.place(first))
        if not self.takes("sign", ":"):
            raise self.fail("a colon after the technique's name")
        if self.next.kind != "arrow":
            made.inputs = self.terms()
        if not self.takes("arrow"):
            raise self.fail("+ or -> (what is used stands before the arrow, what is made after it)")
        if self.next.kind == "end" or self.next.text == ",":
            raise self.fail(f"what {_words(made.label)!r} makes: a technique without output makes nothing")
        made.outputs = self.terms()
        while self.takes("sign", ","):
            option, place = self.option(("capacity", "activity")), self.place()
            if getattr(made, option) is not None:
                raise ProblemError(f"{place}: {option} is given twice")
            value = self.number(f"a number after {option}")
            if value < 0:
                raise ProblemError(f"{place}: {option} {value!r} of {_words(made.label)!r}, expected a number >= 0")
            setattr(made, option, value)
        self.said.techniques.append(made)

    def target(self, first: Token) -> None:
        category: Label = TARGET
        if any(token.kind == "sign" and token.text == ":" for token in self.tokens[self.at :]):
            category = self.name("the name of who wants it")
            if not self.takes("sign", ":"):
                raise self.fail("a colon after the name of who wants it")
        self.said.targets += [(category, term) for term in self.terms()]

    def limit(self, first: Token) -> None:
        place = self.place()
        label = self.name("the name of a factor")
        if self.next.kind != "bound":
            raise self.fail("<= or >= and a number")
        side = "at most" if self.take().text == "<=" else "at least"
        amount = self.number("a number")
        self.said.limits.append(Bound(side, Term(label, amount, self.unit(), place)))

    # ---- parts -----------------------------------------------------------------------------------------------------
    def terms(self) -> list[Term]:
        found = [self.term()]
        while self.takes("sign", "+"):
            found.append(self.term())
        return found

    def term(self) -> Term:
        place = self.place()
        amount = self.number("an amount") if self.next.kind == "number" else 1.0
        return Term(self.name("a name"), amount, self.unit(), place)

    def name(self, what: str) -> Label:
        parts = [self.part(what)]
        while self.takes("sign", "/"):
            parts.append(self.part("the next level of the name"))
        return parts[0] if len(parts) == 1 else tuple(parts)

    def part(self, what: str) -> str:
        """One level of a name: a text in quotation marks, or words."""
        if self.next.kind == "text":
            token = self.take()
            if not token.text.strip():
                raise ProblemError(f"{self.place(token)}: an empty name")
            return token.text
        words = []
        while self.next.kind == "word":
            words.append(self.take().text)
        if not words:
            raise self.fail(what)
        return " ".join(words)

    def unit(self) -> str | None:
        return self.take().text if self.next.kind == "unit" else None

    def quoted(self, what: str) -> str:
        if self.next.kind != "text":
            raise self.fail(what)
        return self.take().text

    def number(self, what: str) -> float:
        if self.next.kind == "word" and self.next.text.casefold() in ("nan", "inf", "infinity"):
            raise self.fail("a finite number")
        if self.next.kind != "number":
            raise self.fail(what)
        token = self.take()
        value = float(token.text)
        if not math.isfinite(value):
            raise ProblemError(f"{self.place(token)}: {token.text} is too large a number")
        return value

    def option(self, known: tuple[str, ...]) -> str:
        token = self.take()
        if token.kind != "word" or token.text not in known:
            got = token.text or "the end of the line"
            raise ProblemError(f"{self.place(token)}: unknown option {got!r}{suggest(got, known)}")
        return token.text


def _words(label: Label) -> str:
    return label if isinstance(label, str) else " / ".join(label)
