"""Chart C: every labelled box by its fate, arm by arm."""

from markupsafe import Markup

from gapscope.findings.fates import FATES, Fates
from gapscope.findings.findings import Findings
from gapscope.page.arms_shown import arms_shown
from gapscope.page.svg import Drawing
from gapscope.words import number_of, percent

WIDE, NARROW = 1080, 352
ROW, HEAD = 24, 28
MOST_ROWS = 12
"""With more arms times domains than this, only the domain of the primary gap is drawn."""
LEAST = 32
"""A share is written on its bar where that is as wide, pixels."""


def fates_chart(findings: Findings) -> Markup:
    """Both widths of it; empty where no detections are in the run folder."""
    if not findings.fates:
        return Markup("")
    return _drawn(findings, WIDE, "wide") + _drawn(findings, NARROW, "narrow")


def shown_fates(findings: Findings) -> list[Fates]:
    """Those that are drawn, the domain of the primary gap first."""
    first, arms = findings.gaps[0][0].domain if findings.gaps else findings.fates[0].domain, arms_shown(findings)
    found = sorted((one for one in findings.fates if one.arm in arms), key=lambda one: one.domain != first)
    return found if len(found) <= MOST_ROWS else [one for one in found if one.domain == found[0].domain]


def _drawn(findings: Findings, width: int, kind: str) -> Markup:
    results, found = findings.results, shown_fates(findings)
    domains = list(dict.fromkeys(one.domain for one in found))
    legend = 26 if width == WIDE else 46
    drawing = Drawing(width, legend + len(domains) * HEAD + len(found) * ROW)
    left = 230 if width == WIDE else 104
    x, y = 0.0, 14.0
    for name, words in FATES.items():
        if x + 24 + 7.6 * len(words) > width:
            x, y = 0.0, y + 20
        drawing.rect(x, y - 11, 14, 14, f"fate {name}")
        drawing.text(x + 20, y, words)
        x += 36 + 7.6 * len(words)
    top = float(legend)
    for domain in domains:
        mine = [one for one in found if one.domain == domain]
        title = f"{results.domain_title(domain)}: {number_of(mine[0].num_boxes, 'labelled box', 'labelled boxes')}"
        drawing.text(0, top + 20, title, kind="strong", room=width)
        top += HEAD
        for one in mine:
            drawing.text(10, top + 15.5, results.arm_title(one.arm), room=left - 18)
            _bar(drawing, one, left, top + 2, width - left)
            top += ROW
    said = "; ".join(
        f"{results.arm_title(one.arm)} on {results.domain_title(one.domain)}: "
        + ", ".join(f"{words} {percent(one.shares[name].mean)}" for name, words in FATES.items())
        for one in found
    )
    return drawing.markup(f"Every labelled box by its fate. {said}.", kind)


def _bar(drawing: Drawing, one: Fates, left: float, top: float, width: float) -> None:
    x = left
    for name, words in FATES.items():
        share = one.shares[name].mean
        drawing.rect(x, top, width * share, ROW - 4, f"fate {name}", f"{words}: {percent(share)}")
        if width * share >= LEAST:
            drawing.text(x + width * share / 2, top + 14.5, percent(share), anchor="middle", kind="on")
        x += width * share
