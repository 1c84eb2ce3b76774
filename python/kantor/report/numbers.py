"""Numbers as a person reads them, the same in the terminal and in the report."""

from __future__ import annotations

import math

_SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
# A unit that starts with one of these already holds a multiplier: "5.9 million million EUR" helps nobody.
_MULTIPLIERS = ("thousand", "million", "billion", "trillion", "1000", "m.", "bn", "mn")


def quantity(value: float, unit: str = "", digits: int = 4) -> str:
    """Format an amount with its unit: large ones in words, medium ones grouped, small ones with significant digits.

    >>> quantity(4.9213e12, "kg CO2e"), quantity(5889154.4, "million EUR"), quantity(0.4398)
    ('4.921 trillion kg CO2e', '5,889,154 million EUR', '0.4398')
    """
    return f"{amount(value, unit, digits)} {unit}".rstrip()


def amount(value: float, unit: str, digits: int = 4) -> str:
    """The number of :func:`quantity` alone, where the unit stands elsewhere.

    >>> amount(1.442e6, "million USD"), amount(1.442e6, "kt"), amount(999_999_999.9, "kg")
    ('1,442,000', '1.442 million', '1.000 billion')
    """
    return _plain(value, digits) if unit.casefold().startswith(_MULTIPLIERS) else _worded(value, digits)


def counted(number: int, word: str, many: str | None = None) -> str:
    """A number of things; ``many`` where the plural is not the word with an s.

    >>> counted(1, "limit"), counted(1200, "product"), counted(2, "capacity", "capacities")
    ('1 limit', '1,200 products', '2 capacities')
    """
    return f"{number:,} {word if number == 1 else many or word + 's'}"


def percent(ratio: float, digits: int = 2) -> str:
    """Format a ratio as a percentage.

    >>> percent(0.95), percent(1.0000001), percent(float("nan"))
    ('95.00 %', '100.00 %', 'n/a')
    """
    return f"{100 * ratio:,.{digits}f} %" if math.isfinite(ratio) else _odd(ratio)


def change(ratio: float, digits: int = 2) -> str:
    """Format a ratio to a base as a signed change in percent.

    >>> change(0.95), change(1.02), change(1 - 1e-12)
    ('-5.00 %', '+2.00 %', '0.00 %')
    """
    if not math.isfinite(ratio):
        return _odd(ratio)
    percentage = round(100 * (ratio - 1), digits)
    return f"{percentage:+,.{digits}f} %" if percentage else f"{0:.{digits}f} %"


def exact(value: float) -> str:
    """Format a number with enough digits to see a certified gap, grouped.

    >>> exact(0.95), exact(5889154.355019), exact(-float("inf"))
    ('0.95000000000', '5,889,154.3550', '-inf')
    """
    if not math.isfinite(value):
        return _odd(value)
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude >= 15 or magnitude < -6:
        return f"{value:.11e}"
    return f"{value:,.{max(0, 10 - max(magnitude, -1))}f}"


def _worded(value: float, digits: int) -> str:
    for scale, word in _SCALES:
        if scale <= abs(_rounded(value, digits)) < 1e16:
            return f"{_plain(value / scale, digits)} {word}"
    return _plain(value, digits)


def _plain(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return _odd(value)
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(_rounded(value, digits))))  # 999.99 with three digits is 1,000: four
    if magnitude < -4 or magnitude >= 15:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}"


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")


def _odd(value: float) -> str:
    return "n/a" if math.isnan(value) else ("inf" if value > 0 else "-inf")
