"""How does a figure look? Widths, letters, colours of arms and heatmaps, and files that are the same bytes twice.

The colours are Okabe and Ito's, told apart also by colour-blind readers; dashes and hatches tell the same in
grey print.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine, PlaceHolderLayoutEngine
from matplotlib.textpath import TextToPath

from gapscope.files import atomic_path
from gapscope.lettering import legible

ONE_COLUMN, TWO_COLUMNS = 3.3, 7.0
"""Widths in inches of a figure in a paper of two columns."""
SMALLEST_TEXT = 6.0
"""Points; no letter on a figure is smaller."""
DOTS_PER_INCH = 300
FORMATS = ("pdf", "png", "svg")
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")
HEATMAP = "viridis"
"""Colours of heatmaps, matplotlib's name; `_r` behind it turns them round."""
BANDS = {"floor": "#999999", "ceiling": "#777777"}
FONT = "DejaVu Sans"
"""Comes with matplotlib, so that a figure is the same on every machine."""
OUTPUT: Any = {
    "pdf.fonttype": 42,  # TrueType inside: text stays text, as publishers ask
    "svg.fonttype": "path",  # letters as outlines: an SVG cannot bring its font along
    "svg.hashsalt": "gapscope",
}
STYLE: Any = {
    "font.family": FONT,
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "text.parse_math": False,  # a dollar sign in an arm's title is a dollar sign
    **OUTPUT,
}
"""For figures of two columns."""
NARROW: Any = {
    **STYLE,
    "font.size": 7,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "legend.fontsize": 6.5,
}
"""For figures of less than 5 inches."""


def style_of(width: float) -> Any:
    """matplotlib's settings for a figure of so many inches."""
    return NARROW if width < 5 else STYLE


class Plot(Figure):
    """A matplotlib figure that a notebook shows by itself, and that is drawn in one style wherever it is drawn."""

    def __init__(self, width: float, height: float, **settings: Any) -> None:
        self._style = {**style_of(width), **settings}
        with mpl.rc_context(self._style):
            super().__init__(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04))

    def draw(self, renderer: RendererBase) -> None:
        """As matplotlib's, with this figure's own settings, whatever they are outside."""
        with mpl.rc_context(self._style):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's; fonts are embedded as TrueType (Type 42)."""
        with mpl.rc_context(OUTPUT):
            super().savefig(fname, **options)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """What a notebook shows: twice as many dots as are asked for, so that letters are sharp."""
        from io import BytesIO

        stream = BytesIO()
        self.savefig(stream, format="png", dpi=200)
        width, height = (round(100 * inches) for inches in self.get_size_inches())
        return stream.getvalue(), {"width": width, "height": height}


@lru_cache(4096)
def text_width(text: str, points: float) -> float:
    """Inches that a line of text takes."""
    width, _, _ = TextToPath().get_text_width_height_descent(
        legible(text), FontProperties(family=FONT, size=points), False
    )
    return float(width) / 72


def fitted(text: str, points: float, inches: float, lines: int = 2) -> str:
    """The text in at most so many lines of so many inches; what does not fit ends in three dots."""
    text = legible(text)
    letters = max(4, int(inches / (text_width(text, points) / max(1, len(text)) or 1)))
    if text_width(text, points) <= inches:
        return text
    return "\n".join(wrap(text, letters, max_lines=lines, placeholder="..."))


def legend_below(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """A legend under the whole figure, in as many columns as its width allows."""
    points = FontProperties(size=mpl.rcParams["legend.fontsize"]).get_size_in_points()
    room, handle = figure.get_size_inches()[0] - 0.1, points * 3.7 / 72
    texts = [fitted(label, points, room - handle) for label in labels]
    widest = handle + max((text_width(line, points) for text in texts for line in text.split("\n")), default=0.0)
    columns = max(1, min(len(texts), int(room / widest)))
    columns = -(-len(texts) // -(-len(texts) // columns))  # no fuller first rows than the last needs
    figure.legend(
        handles,
        texts,
        loc="outside lower center",
        ncols=columns,
        handlelength=2.3,
        handletextpad=0.5,
        columnspacing=0.9,
        borderpad=0.1,
    )


def write_figure(
    figure: Figure, folder: Path, name: str, *, formats: Sequence[str] = ("png", "pdf"), dpi: int = 200
) -> list[Path]:
    """Write `<name>.<format>` for each format, PDF with its fonts embedded; the same figure gives the same bytes.

    Args:
        figure: Its layout is settled by this, so that all formats agree.
        folder: Made if it is not there.
        name: Of the files, without suffix.
        formats: Of `FORMATS`.
        dpi: Of PNG, dots per inch.

    Returns:
        The files' paths.
    """
    paths = [folder / f"{name}.{form}" for form in formats]
    with mpl.rc_context({**style_of(figure.get_size_inches()[0])}), fonts_without_layout_tables():
        if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine | None):
            figure.draw_without_rendering()
        figure.set_layout_engine(None)  # the layout is done: all formats take it as it is, and none draws for it again
        for path in paths:
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=dpi, metadata=NO_DATES[path.suffix])
    return paths


@contextmanager
def fonts_without_layout_tables() -> Iterator[None]:
    """Leave out of embedded fonts what only shapes text anew: a PDF's letters have their places already.

    Reading these tables takes longer than drawing the figure.
    """
    from fontTools.subset import Options

    kept = Options._drop_tables_default
    Options._drop_tables_default = [*kept, "GDEF", "GPOS", "GSUB"]
    try:
        yield
    finally:
        Options._drop_tables_default = kept


NO_DATES: dict[str, Any] = {".pdf": {"CreationDate": None, "ModDate": None}, ".svg": {"Date": None}, ".png": None}
