"""Chart B: the network as a strip of its parts, and in each how alike the arms are between floor and ceiling."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from gapscope.findings.findings import Findings
from gapscope.findings.network_parts import PartLikeness, parts_told_apart
from gapscope.findings.part_sentences import gap_pair, graft_pairs
from gapscope.findings.result_tables import printed
from gapscope.page.svg import Drawing, shortened

WIDE, NARROW = 1080, 352
PLOT, TOP = 200, 12
"""Heights in pixels: of the similarity's axis, and above it."""
ROOM = 62
"""Parts narrower than so many pixels have their names written upwards."""
UPRIGHT = 60
"""Pixels that such a name may take."""


LONG = 16
"""Letters of a row's name that need more room at the left."""


def parts_chart(findings: Findings) -> Markup:
    """Both widths of it; empty where no layers have been compared."""
    if not findings.parts:
        return Markup("")
    return _drawn(findings, WIDE, "wide") + _drawn(findings, NARROW, "narrow")


def _drawn(findings: Findings, width: int, kind: str) -> Markup:
    parts, sizes = findings.parts, findings.results.sizes
    rows = _rows(findings, wide=width == WIDE)
    longest = max(len(name) for name, _ in rows)
    left = (185 if longest > LONG else 110) if width == WIDE else 44
    step = (width - left) / len(parts)
    upright = step < ROOM
    names = TOP + PLOT + (66 if upright else 40)
    drawing = Drawing(width, names + 20 * len(rows) + 6)
    low = min(0.0, *(part.floor for part in parts if np.isfinite(part.floor)), *_values(parts))

    def height(value: float) -> float:
        return TOP + PLOT * (1 - (value - low) / (1.04 - low))

    for tick in (0, 0.25, 0.5, 0.75, 1):
        drawing.line(left, height(tick), width, height(tick), "grid")
        drawing.text(left - 8, height(tick) + 4, f"{tick:g}", anchor="end", kind="soft")
    drawing.text(0, TOP + 12, "debiased" if width == WIDE else "", kind="soft")
    drawing.text(0, TOP + 28 if width == WIDE else TOP + 40, "CKA", kind="soft")
    for i, part in enumerate(parts):
        middle = left + step * (i + 0.5)
        _part(drawing, part, middle, min(step * 0.5, 46), height)
        layers = f"{part.first}-{part.last}" if part.last > part.first else f"{part.first}"
        if upright:
            drawing.begin("")
            drawing.parts.append(
                Markup('<text transform="translate({} {}) rotate(-90)" text-anchor="end">{}</text>').format(
                    f"{middle + 4:.1f}", f"{TOP + PLOT + 6:.1f}", shortened(part.name, UPRIGHT)
                )
            )
            drawing.end()
        else:
            drawing.text(middle, TOP + PLOT + 18, part.name, anchor="middle", kind="strong", room=step - 4)
            if layers != part.name:
                drawing.text(middle, TOP + PLOT + 34, layers, anchor="middle", kind="soft")
    for k, (name, cells) in enumerate(rows):
        y = names + 20 * k + 14
        drawing.line(0, y - 15, width, y - 15, "grid")
        drawing.text(0, y, name, kind="soft", room=left - 4)
        for i, cell in enumerate(cells):
            drawing.text(
                left + step * (i + 0.5), y, cell, anchor="middle", kind="number small" if upright else "number"
            )
    size = f"{sizes[0]} x {sizes[0]} pixels"
    said = "; ".join(f"{part.name} {part.mean:.2f}" for part in parts)
    return drawing.markup(f"Similarity by part of the network, debiased CKA at {size}: {said}.", kind)


def _part(drawing: Drawing, part: PartLikeness, middle: float, width: float, height: Callable[[float], float]) -> None:
    """The bar from floor to ceiling, a dot per seed, a hollow mark per seed of another size."""
    if np.isfinite(part.ceiling):
        top, bottom = height(part.ceiling), height(part.floor if np.isfinite(part.floor) else 0)
        drawing.rect(middle - width / 2, top, width, bottom - top, "between", f"two seeds: {part.ceiling:.2f}")
        drawing.line(middle - width / 2, top, middle + width / 2, top, "ceiling")
    if np.isfinite(part.floor):
        drawing.line(middle - width / 2, height(part.floor), middle + width / 2, height(part.floor), "floor")
    for of_size, (size, values) in enumerate(part.other_sizes.items()):
        for value in values:
            drawing.mark(middle, height(value), 1 + of_size, "hollow", f"{size} pixels: {value:.2f}")
    for value in part.by_seed:
        drawing.mark(middle, height(value), 0, "likeness", f"{part.name}: {value:.2f}")


def _rows(findings: Findings, *, wide: bool) -> list[tuple[str, list[str]]]:
    """Numbers below the strip, on its axis."""
    parts = findings.parts
    rows = [("arms", [f"{part.mean:.2f}" for part in parts])]
    if any(np.isfinite(part.ceiling) for part in parts):
        rows.append(("two seeds" if wide else "seeds", [printed(part.ceiling, "{:.2f}") for part in parts]))
    for size in parts[0].other_sizes:
        if any(np.isfinite(part.mean_at(size)) for part in parts):
            rows.append((f"{size} px", [printed(part.mean_at(size), "{:.2f}") for part in parts]))
    for pair in graft_pairs(findings.results, findings.gaps[0][0] if findings.gaps else None):
        of = [next((one for one in pair.parts if part.first in one.layers), None) for part in parts]
        cells = [f"{100 * one.alone.value:+z.1f}{'' if one.told else '?'}" if one else "" for one in of]
        rows.append((f"graft, seed {pair.host.seed}", cells))
    for arm in gap_pair(findings.results, findings.gaps[0][0] if findings.gaps else None) or ():
        for domain, told in parts_told_apart(findings.results, arm, parts).items():
            name = f"{findings.results.arm_title(arm)} tells {findings.results.short_title(domain)}"
            rows.append((name, [printed(value, "{:.2f}") for value in told]))
    return rows


def _values(parts: Sequence[PartLikeness]) -> list[float]:
    return [value for part in parts for values in (part.by_seed, *part.other_sizes.values()) for value in values]
