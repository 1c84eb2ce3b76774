"""Words of the solvers that a reader of a plan cannot know, each explained in a line."""

from __future__ import annotations

from collections.abc import Iterable

TERMS = {
    "goods in doubt": "those whose price is not yet clear: the technique that sets it may run at a bound",
}


def explained(texts: Iterable[str]) -> list[str]:
    """What the terms that occur in these texts mean.

    >>> explained(["12 goods in doubt"])[0][:18]
    '"goods in doubt" a'
    """
    said = "\n".join(texts)
    return [f'"{term}" are {meaning}' for term, meaning in TERMS.items() if term in said]
