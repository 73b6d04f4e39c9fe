"""Small drawings for the page, as SVG: they need no script, print, and take the page's colours from its style sheet."""

from markupsafe import Markup, escape

LETTER = 0.58
"""Width of a letter over the height of the type, about."""
NUM_COLOURS = 6
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "M0 -6.2L6.2 0L0 6.2L-6.2 0z",
    "M-4.6 -4.6h9.2v9.2h-9.2z",
    "M0 -6L5.8 4.6H-5.8z",
    "M0 6L5.8 -4.6H-5.8z",
    "M-6.2 -1.8h4.4v-4.4h3.6v4.4h4.4v3.6h-4.4v4.4h-3.6v-4.4h-4.4z",
)
"""Marks around (0, 0), as paths; arms differ in shape as well as in colour."""


class Drawing:
    """An SVG that grows; coordinates in CSS pixels, y downwards."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.parts: list[Markup] = []

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", kind: str = "", room: float = 0, end: str = ""
    ) -> None:
        """Letters from, around or up to (x, y), their baseline.

        Args:
            x: Where.
            y: Where.
            text: Shown as it is.
            anchor: `start`, `middle` or `end`.
            kind: Classes of the style sheet.
            room: What is wider (13 pixels a line) is cut, and the whole text shown when pointed at; 0: no limit.
            end: Stands behind the text, and is never cut.
        """
        shown, whole = shortened(text, room, end=end), Markup("")
        if shown != text + end:
            whole = Markup("<title>{}</title>").format(text + end)
        self.parts.append(
            Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}{}</text>').format(
                _short(x), _short(y), anchor, _classes(kind), whole, shown
            )
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "") -> None:
        """A straight line."""
        ends = [_short(value) for value in (x1, y1, x2, y2)]
        self.parts.append(Markup('<path d="M{} {}L{} {}"{}/>').format(*ends, _classes(kind)))

    def rect(self, x: float, y: float, width: float, height: float, kind: str = "", title: str = "") -> None:
        """A filled rectangle."""
        sides = [_short(value) for value in (x, y, max(width, 0), max(height, 0))]
        said = Markup("<title>{}</title>").format(title) if title else ""
        self.parts.append(
            Markup('<rect x="{}" y="{}" width="{}" height="{}"{}>{}</rect>').format(*sides, _classes(kind), said)
        )

    def mark(self, x: float, y: float, shape: int, kind: str = "", title: str = "", scale: float = 1) -> None:
        """A mark at (x, y)."""
        said = Markup("<title>{}</title>").format(title) if title else ""
        where = f"translate({_short(x)} {_short(y)})" + (f" scale({scale:g})" if scale != 1 else "")
        path = SHAPES[shape % len(SHAPES)]
        self.parts.append(Markup('<path transform="{}" d="{}"{}>{}</path>').format(where, path, _classes(kind), said))

    def path(self, d: str, kind: str = "") -> None:
        """Any path."""
        self.parts.append(Markup('<path d="{}"{}/>').format(d, _classes(kind)))

    def begin(self, kind: str) -> None:
        """What follows belongs together, up to `end`."""
        self.parts.append(Markup("<g{}>").format(_classes(kind)))

    def end(self) -> None:
        """See `begin`."""
        self.parts.append(Markup("</g>"))

    def markup(self, label: str, kind: str) -> Markup:
        """The whole drawing.

        Args:
            label: What a screen reader says instead.
            kind: Classes of the style sheet.
        """
        return Markup('<svg class="drawn {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            kind, _short(self.width), _short(self.height), label, Markup("").join(self.parts)
        )


def shortened(text: str, room: float, size: float = 13, end: str = "") -> str:
    """A text with its end that fits into so many pixels; where it does not, what stands before the end is cut.

    >>> shortened("U-Synthetic", 40), shortened("U-Synthetic", 90, end=" (home)")
    ('U-Sy…', 'U-S… (home)')
    """
    fits = max(2, int(room / (LETTER * size)))
    whole = text + end
    return whole if not room or len(whole) <= fits else text[: max(1, fits - 1 - len(end))] + "…" + end


def _classes(kind: str) -> Markup:
    return Markup(' class="{}"').format(kind) if kind else Markup("")


def _short(value: float) -> str:
    return escape(f"{value:.1f}".removesuffix(".0"))
