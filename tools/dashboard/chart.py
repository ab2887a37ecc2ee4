"""Draws widgets as one SVG, in the layout of the dashboard."""

import math
from html import escape

COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2"]
# Pixels of a cell of the dashboard's grid.
CELL_WIDTH, CELL_HEIGHT = 50, 48
LEFT, RIGHT, TOP = 46, 14, 34
LEGEND_LINE = 15


def picture(heading, drawn, periods, seconds):
    """Returns the SVG. `drawn` has a pair for each widget: the widget, and its series (label, values or None)."""
    width = 24 * CELL_WIDTH
    height = max(widget["y"] + widget["height"] for widget, _ in drawn) * CELL_HEIGHT + 40
    parts = "".join(Panel(widget, series, periods, seconds).svg() for widget, series in drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>\n'
        f'<text x="12" y="25" font-size="14" fill="#16191f">{escape(heading)}</text>\n{parts}</svg>\n'
    )


class Panel:
    """A widget of the dashboard with its series."""

    def __init__(self, widget, series, periods, seconds):
        self.settings, self.series, self.periods, self.seconds = widget["properties"], series, periods, seconds
        self.x, self.y = widget["x"] * CELL_WIDTH + 4, widget["y"] * CELL_HEIGHT + 44
        self.width, self.height = widget["width"] * CELL_WIDTH - 8, widget["height"] * CELL_HEIGHT - 8
        self.columns = max(1, self.width // 250)
        rows = math.ceil(len(series) / self.columns)
        self.bottom = self.height - 30 - rows * LEGEND_LINE
        self.stacked = self.settings.get("stacked", False)
        self.top = self.highest()

    def highest(self):
        """Returns the upper end of the axis: 1, 2 or 5 times a power of ten."""
        known = [values for _, values in self.series if values]
        if self.stacked:
            highest = max((sum(values.get(period, 0) for values in known) for period in range(self.periods)), default=0)
        else:
            highest = max((value for values in known for value in values.values()), default=0)
        power = 10 ** math.floor(math.log10(highest)) if highest > 0 else 1
        return next((step * power for step in (1, 2, 5) if step * power >= highest), 10 * power)

    def at(self, period, value):
        x = LEFT + (self.width - LEFT - RIGHT) * period / max(1, self.periods - 1)
        return f"{x:.1f},{self.bottom - (self.bottom - TOP) * value / self.top:.1f}"

    def svg(self):
        parts = [
            f'<g transform="translate({self.x} {self.y})">',
            f'<rect width="{self.width}" height="{self.height}" fill="#fff" stroke="#d5dbdb"/>',
            f'<text x="12" y="20" font-size="13" font-weight="bold">{escape(self.settings["title"])}</text>',
            *self.axes(), *(self.areas() if self.stacked else self.lines()), *self.legend(), "</g>\n",
        ]
        return "\n".join(parts)

    def axes(self):
        unit = self.settings["yAxis"]["left"]["label"].replace("minute", f"{self.seconds} s")
        yield f'<text x="{self.width - 12}" y="20" text-anchor="end" fill="#687078">{escape(unit)}</text>'
        for share in (0, 0.5, 1):
            _, y = self.at(0, share * self.top).split(",")
            yield f'<path d="M{LEFT} {y}H{self.width - RIGHT}" stroke="#eaeded"/>'
            yield (f'<text x="{LEFT - 6}" y="{float(y) + 4}" text-anchor="end" fill="#687078">'
                   f"{share * self.top:g}</text>")
        for period in range(0, self.periods, 6):
            x, _ = self.at(period, 0).split(",")
            yield (f'<text x="{x}" y="{self.bottom + 15}" text-anchor="middle" fill="#687078">'
                   f"{period * self.seconds} s</text>")

    def areas(self):
        below = dict.fromkeys(range(self.periods), 0)
        for (_, values), colour in zip(self.series, COLOURS):
            above = {period: below[period] + (values or {}).get(period, 0) for period in below}
            outline = [self.at(period, above[period]) for period in below]
            outline += [self.at(period, below[period]) for period in reversed(below)]
            yield f'<polygon points="{" ".join(outline)}" fill="{colour}" fill-opacity="0.75"/>'
            below = above

    def lines(self):
        for (_, values), colour in zip(self.series, COLOURS):
            for period, value in (values or {}).items():
                if period - 1 in values:
                    yield (f'<path d="M{self.at(period - 1, values[period - 1])}L{self.at(period, value)}" '
                           f'stroke="{colour}" stroke-width="1.6" stroke-linecap="round"/>')
                elif period + 1 not in values:
                    x, y = self.at(period, value).split(",")
                    yield f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'

    def legend(self):
        for index, (label, values) in enumerate(self.series):
            x = 14 + (index % self.columns) * (self.width // self.columns)
            y = self.bottom + 32 + (index // self.columns) * LEGEND_LINE
            colour = COLOURS[index] if values is not None else "#d5dbdb"
            note = "" if values else " (no data)" if values is not None else " (only on AWS)"
            yield f'<rect x="{x}" y="{y - 8}" width="9" height="9" fill="{colour}"/>'
            yield f'<text x="{x + 14}" y="{y}" fill="#16191f">{escape(label + note)}</text>'
