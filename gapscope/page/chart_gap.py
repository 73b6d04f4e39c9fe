"""Chart A: mAP of the arms on every test domain with its interval, and the gap as a labelled bracket."""

import math
from collections.abc import Iterator

from markupsafe import Markup

from gapscope.findings.findings import Findings
from gapscope.findings.gaps import Gap
from gapscope.findings.result_tables import printed
from gapscope.page.arms_shown import arms_shown
from gapscope.page.svg import NUM_COLOURS, Drawing

WIDE, NARROW = 1080, 352
"""Pixels of the two drawings; see `Drawing`."""
ROW, HEAD, AXIS = 24, 38, 40
"""Heights in pixels: of an arm's row, of a domain's title with the bracket, of the axis below."""


def gap_chart(findings: Findings) -> Markup:
    """Both widths of it; empty where no arm has been evaluated."""
    if not any(math.isfinite(one.known_mean) for one in findings.numbers.scores.found.values()):
        return Markup("")
    return _drawn(findings, WIDE, "wide") + _drawn(findings, NARROW, "narrow")


def _drawn(findings: Findings, width: int, kind: str) -> Markup:
    results = findings.results
    domains = [domain for domain in results.test_domains if findings.numbers.evaluated_arms(domain)]
    arms = arms_shown(findings)
    rows = len(domains) * len(arms)
    drawing = Drawing(width, len(domains) * HEAD + rows * ROW + AXIS)
    left, right = (230 if width == WIDE else 104), width - 52
    most = _most(findings)

    def across(value: float) -> float:
        return left + (right - left) * value / most

    bottom = drawing.height - AXIS + 4
    for tick in _ticks(most):
        drawing.line(across(tick), 8, across(tick), bottom, "grid")
        drawing.text(across(tick), bottom + 14, f"{tick:g}", anchor="middle", kind="soft")
    drawing.text((left + right) / 2, bottom + 30, "mAP@0.5", anchor="middle", kind="soft")
    drawing.text(width, bottom + 14, "mean", anchor="end", kind="soft")
    top = 0.0
    for domain in domains:
        title = results.domain_title(domain) if width == WIDE else results.short_title(domain)
        drawing.text(0, top + 25, title, kind="strong", room=left - 8)
        for number, (gap, _) in enumerate(findings.gaps):
            if gap.domain == domain:
                _bracket(drawing, findings, gap, number, across(1) - across(0), left, top + HEAD - 4, width == WIDE)
        for arm in arms:
            _row(drawing, findings, arm, domain, across(1) - across(0), left, top + HEAD)
            top += ROW
        top += HEAD
    label = f"{_said(findings)} Its numbers stand in Table 2." if domains else ""
    return drawing.markup(label, kind)


def _row(drawing: Drawing, findings: Findings, arm: str, domain: str, scale: float, left: float, top: float) -> None:
    results, score = findings.results, findings.numbers.scores.of(arm, domain)
    place, middle = results.arms.index(arm), top + ROW / 2
    colour = f"arm{place % NUM_COLOURS}"
    title = results.arm_title(arm)
    own = domain in results.experiment.arms[arm].domains
    end = " (at home)" if own and drawing.width == WIDE else ""
    drawing.text(10, middle + 4.5, title, room=left - 18, end=end)
    if not math.isfinite(score.known_mean):
        drawing.text(left, middle + 4.5, "undefined", kind="soft")
        return
    if score.mean.has_interval:
        ends = left + scale * score.mean.low, left + scale * score.mean.high
        drawing.line(ends[0], middle, ends[1], middle, f"reach {colour}")
    for value in score.values:
        if math.isfinite(value) and len(results.seeds) > 1:
            x = left + scale * value
            drawing.line(x, middle - 8, x, middle + 8, f"seed {colour}")
    said = f"{title} on {results.domain_title(domain)}: {score.known_mean:.3f}"
    drawing.mark(left + scale * score.known_mean, middle, place, f"dot {colour}", said)
    drawing.text(drawing.width, middle + 4.5, printed(score.known_mean, "{:.3f}"), anchor="end", kind="number")


def _bracket(
    drawing: Drawing, findings: Findings, gap: Gap, number: int, scale: float, left: float, y: float, wide: bool
) -> None:
    """From the arm that loses to the arm at home, with the points between them."""
    ends = [left + scale * sum(values) / len(values) for values in (gap.other_map50s, gap.home_map50s)]
    a, b = sorted(ends)
    drawing.begin(f"bracket gap{number}")
    drawing.path(f"M{a:.1f} {y + 5:.1f}V{y:.1f}H{b:.1f}V{y + 5:.1f}")
    reach = f" ({gap.estimate.low:z.1f} to {gap.estimate.high:z.1f})" if gap.estimate.has_interval and wide else ""
    middle = min(max((a + b) / 2, left + 48), drawing.width - 60)
    drawing.text(middle, y - 6, f"{gap.mean:z.1f} points{reach}", anchor="middle", kind="strong")
    drawing.end()


def _most(findings: Findings) -> float:
    """Where the axis ends: a little beyond the highest value or interval."""
    found = findings.numbers.scores.found
    rule = findings.numbers.scores.rule
    ends = [
        value
        for (_, _, of), score in found.items()
        if of == rule
        for value in (score.known_mean, score.mean.high, *score.values)
        if math.isfinite(value)
    ]
    return min(1.0, max(0.05, 1.04 * max(ends)))


def _ticks(most: float) -> Iterator[float]:
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if most / step <= 6)
    for i in range(int(most / step + 1e-9) + 1):
        yield round(i * step, 2)


def _said(findings: Findings) -> str:
    return findings.gaps[0][1] if findings.gaps else "mAP@0.5 of every arm on every test domain."
