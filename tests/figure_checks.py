"""What must hold of every figure: letters that can be read, none over another, none cut off."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts_of(figure: Figure) -> list[Text]:
    """Every text that is seen, after the layout is done."""
    figure.draw_without_rendering()
    hidden = {id(label) for axes in figure.findobj(Axes) for label in _labels_outside(axes)}
    found = {id(text): text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()}
    return [text for key, text in found.items() if key not in hidden]


def _labels_outside(axes: Axes) -> list[Text]:
    """Labels of ticks that exist, but are not drawn, since they lie outside the limits or the axes are off."""
    hidden = []
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks(), *axis.majorTicks, *axis.minorTicks]
        drawn = {id(tick) for tick in axis._update_ticks()} if axes.axison else set()
        hidden += [label for tick in ticks if id(tick) not in drawn for label in (tick.label1, tick.label2)]
    return hidden


def check_readable(figure: Figure, width: float) -> None:
    """The width in inches; letters of 6 points or more; none over another, none out of the figure, by over a pixel."""
    assert figure.get_size_inches()[0] == width
    texts = texts_of(figure)
    assert texts and min(text.get_fontsize() for text in texts) >= 6
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    over = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.padded(-1).overlaps(other.padded(-1))]
    assert not over, over
    page = figure.bbox.padded(1)
    cut = [name for name, box in boxes if box.x0 < page.x0 or box.y0 < page.y0 or box.x1 > page.x1 or box.y1 > page.y1]
    assert not cut, cut
