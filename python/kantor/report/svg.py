"""Small pictures as inline SVG text: bars, a ruler, a histogram, a line chart. No library, no script, no network.

Colours are CSS classes of the page (kantor.report.page), so light and dark follow the reader's system. Bars carry no
text: they sit in table cells beside their number, which keeps them readable on a phone and to a screen reader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from .numbers import amount

Point = tuple[float, float]


def bar(value: float, largest: float, *, mark: float | None = None, kind: str = "plain") -> str:
    """One horizontal bar from 0 to ``value`` on an axis that ends at ``largest``; ``mark`` draws a tick (a limit).

    >>> "width='50.00'" in bar(1.0, 2.0)
    True
    """
    parts = ["<rect class='track' x='0' y='2' width='100' height='8'/>"]
    parts.append(f"<rect class='{kind}' x='0' y='2' width='{_share(value, largest):.2f}' height='8'/>")
    if mark is not None and math.isfinite(mark):
        at = min(_share(mark, largest), 99.4)
        parts.append(f"<rect class='mark' x='{at:.2f}' y='0' width='0.6' height='12'/>")
    return _bar_frame("".join(parts))


def signed_bar(value: float, largest: float) -> str:
    """A bar that grows left for negative and right for positive values; the axis ends at +- ``largest``."""
    half = _share(abs(value), largest) / 2
    x = 50 - half if value < 0 else 50
    kind = "down" if value < 0 else "up"
    return _bar_frame(
        "<rect class='track' x='0' y='2' width='100' height='8'/>"
        f"<rect class='{kind}' x='{x:.2f}' y='2' width='{half:.2f}' height='8'/>"
        "<rect class='mark' x='49.8' y='0' width='0.4' height='12'/>"
    )


def histogram(values: Sequence[float], edges: Sequence[float], title: str, marker: float | None = None) -> str:
    """Counts of ``values`` between ``edges`` (drawn evenly, last bin closed); ``marker`` is a reference line."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        if edges[0] <= value <= edges[-1]:
            counts[min(sum(value >= e for e in edges[1:]), len(counts) - 1)] += 1
    tallest, width, height = max(counts, default=0) or 1, 400.0, 120.0
    step = width / max(len(counts), 1)
    parts = []
    for i, count in enumerate(counts):
        h = height * count / tallest
        words = f"{_tick(edges[i])} to {_tick(edges[i + 1])}: {count}"
        parts.append(
            f"<rect class='plain' x='{i * step + 1:.1f}' y='{height - h + 14:.1f}' width='{step - 2:.1f}' "
            f"height='{h:.1f}'><title>{escape(words)}</title></rect>"
        )
        if count:
            parts.append(_text(i * step + step / 2, height - h + 10, _count(count), "middle"))
    if marker is not None and edges[0] <= marker <= edges[-1]:
        x = _position(marker, edges) * step
        parts.append(f"<line class='axis dashed' x1='{x:.1f}' x2='{x:.1f}' y1='6' y2='{height + 14}'/>")
    parts.append(f"<line class='axis' x1='0' x2='{width}' y1='{height + 14}' y2='{height + 14}'/>")
    every = max(1, math.ceil(len(edges) / 7))
    for i in range(0, len(edges), every):
        anchor = "start" if i == 0 else "end" if i == len(edges) - 1 else "middle"
        parts.append(_text(i * step, height + 30, _tick(edges[i]), anchor))
    return _chart_frame(width, height + 36, title, "".join(parts))


def log_lines(series: Mapping[str, Sequence[Point]], title: str, target: float | None = None) -> str:
    """Curves on a logarithmic vertical axis, as residuals against iterations; points <= 0 are left out."""
    kept = {name: [(x, y) for x, y in points if y > 0 and math.isfinite(y)] for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    if not kept:
        return ""
    every = [point for points in kept.values() for point in points]
    xs, ys = [x for x, _ in every], [math.log10(y) for _, y in every]
    if target is not None and target > 0:
        ys.append(math.log10(target))
    low, high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)
    x0, x1 = min(xs), max(max(xs), min(xs) + 1)
    left, top, width, height = 42.0, 12.0, 400.0, 170.0

    def place(x: float, log_y: float) -> Point:
        return left + (width - left) * (x - x0) / (x1 - x0), top + height * (high - log_y) / (high - low)

    parts = []
    for power in range(low, high + 1, max(1, math.ceil((high - low) / 6))):
        y = place(x0, power)[1]
        parts.append(f"<line class='grid' x1='{left}' x2='{width}' y1='{y:.1f}' y2='{y:.1f}'/>")
        parts.append(_text(left - 6, y + 4, f"1e{power}", "end"))
    if target is not None and target > 0:
        y = place(x0, math.log10(target))[1]
        parts.append(f"<line class='axis dashed' x1='{left}' x2='{width}' y1='{y:.1f}' y2='{y:.1f}'/>")
    for i, (name, points) in enumerate(kept.items()):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, math.log10(y))) for x, y in points)
        parts.append(f"<polyline class='line line{i % 4}' points='{path}'><title>{escape(name)}</title></polyline>")
    parts.append(_text(left, top + height + 18, f"{x0:,.0f}", "start"))
    parts.append(_text(width, top + height + 18, f"{x1:,.0f} iterations", "end"))
    legend = "".join(
        f"<span class='key'><i class='swatch swatch{i % 4}'></i>{escape(n)}</span>" for i, n in enumerate(kept)
    )
    return _chart_frame(width, top + height + 26, title, "".join(parts)) + f"<p class='legend'>{legend}</p>"


def columns(names: Sequence[str], values: Sequence[float], marks: Sequence[float], title: str, unit: str = "") -> str:
    """One column for each name, from zero, with its value above; a mark (a bound) is a line across its column.

    >>> columns(["2013", "2014"], [1.0, 2.0], [2.0, float("nan")], "t").count("class='plain'")
    2
    """
    known = [abs(v) for v in (*values, *marks) if math.isfinite(v)]
    largest, width, height, top = max(known, default=0.0) or 1.0, 400.0, 130.0, 16.0
    step = width / max(len(names), 1)
    parts = []
    for i, (name, value, mark) in enumerate(zip(names, values, marks, strict=True)):
        x, wide = i * step + step * 0.2, step * 0.6
        h = height * max(value, 0.0) / largest if math.isfinite(value) else 0.0
        words = f"{name}: {amount(value, unit)} {unit}".rstrip()
        if math.isfinite(mark):
            words += f", bound {amount(mark, unit)}"
        parts.append(
            f"<rect class='plain' x='{x:.1f}' y='{top + height - h:.1f}' width='{wide:.1f}' height='{h:.1f}'>"
            f"<title>{escape(words)}</title></rect>"
        )
        if math.isfinite(mark):
            y = top + height * (1 - max(mark, 0.0) / largest)
            ends = f"x1='{x - 5:.1f}' x2='{x + wide + 5:.1f}' y1='{y:.1f}' y2='{y:.1f}'"
            parts.append(f"<line class='axis bound' {ends}/>")
        if len(names) <= 7:
            parts.append(_text(x + wide / 2, top + height - h - 4, amount(value, unit, 3), "middle"))
        parts.append(_text(x + wide / 2, top + height + 14, name, "middle"))
    parts.append(f"<line class='axis' x1='0' x2='{width}' y1='{top + height}' y2='{top + height}'/>")
    return _chart_frame(width, top + height + 20, title, "".join(parts))


def log_scatter(points: Sequence[Point], across: str, up: str, title: str) -> str:
    """Points on two logarithmic axes with the line where both are equal; all coordinates are positive."""
    logs = [(math.log10(x), math.log10(y)) for x, y in points]
    every = [value for point in logs for value in point]
    low, high = math.floor(min(every) * 2) / 2, math.ceil(max(every) * 2) / 2
    high = high if high > low else low + 0.5
    left, top, width, height = 46.0, 10.0, 400.0, 260.0

    def place(x: float, y: float) -> Point:
        return left + (width - left) * (x - low) / (high - low), top + height * (high - y) / (high - low)

    parts = []
    step = math.ceil((high - low) / 6) if high - low > 2 else 0.5
    for k in range(math.floor((high - low) / step) + 1):
        at = low + k * step
        x, y = place(at, at)
        parts.append(f"<line class='grid' x1='{left}' x2='{width}' y1='{y:.1f}' y2='{y:.1f}'/>")
        parts.append(f"<line class='grid' x1='{x:.1f}' x2='{x:.1f}' y1='{top}' y2='{top + height}'/>")
        parts.append(_text(left - 5, y + 4, f"{10**at:.2g}", "end"))
        parts.append(_text(x, top + height + 15, f"{10**at:.2g}", "end" if at == high else "middle"))
    (x0, y0), (x1, y1) = place(low, low), place(high, high)
    parts.append(f"<line class='axis dashed' x1='{x0:.1f}' x2='{x1:.1f}' y1='{y0:.1f}' y2='{y1:.1f}'/>")
    parts += ["<circle class='dot' cx='{:.1f}' cy='{:.1f}' r='3'/>".format(*place(x, y)) for x, y in logs]
    parts.append(_text(width, top + height + 30, f"{across}, basket = 1", "end"))
    parts.append(_text(left + 6, top + 12, f"{up}, basket = 1", "start"))
    return _chart_frame(width, top + height + 36, title, "".join(parts))


def _share(value: float, largest: float) -> float:
    if not (math.isfinite(value) and math.isfinite(largest)) or largest <= 0:
        return 0.0
    return 100.0 * min(max(value / largest, 0.0), 1.0)


def _position(value: float, edges: Sequence[float]) -> float:
    """Where a value lies among the edges, in bins."""
    for i in range(len(edges) - 1):
        if value <= edges[i + 1]:
            return i + (value - edges[i]) / (edges[i + 1] - edges[i])
    return float(len(edges) - 1)


def _tick(value: float) -> str:
    return f"{value:.3g}"


def _count(number: int) -> str:
    return str(number) if number < 10_000 else f"{number / 1000:,.0f}k"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(words)}</text>"


def _bar_frame(inner: str) -> str:
    return f"<svg class='barbox' viewBox='0 0 100 12' preserveAspectRatio='none' aria-hidden='true'>{inner}</svg>"


def _chart_frame(width: float, height: float, title: str, inner: str) -> str:
    return (
        f"<svg class='chart' viewBox='-4 0 {width + 8:.0f} {height:.0f}' role='img'>"
        f"<title>{escape(title)}</title>{inner}</svg>"
    )
