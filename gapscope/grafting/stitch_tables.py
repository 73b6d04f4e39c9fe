"""The stitches between two networks as a terminal and a notebook show them."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gapscope.grafting.stitch_result import NOISE, UNTRAINED, StitchResult

ENOUGH_PLACES = 10
"""Cells for each channel of the front, below which a fit says little."""


def stitch_table(result: StitchResult) -> Table:
    """A row for each cut, 80 letters wide."""
    title = (
        f"The front up to a layer, stitched to the back\nfront {result.front:.3f}, back {result.back:.3f} as they are"
    )
    controls = [name for name in (UNTRAINED, NOISE) if any(name in one.controls for one in result.cuts)]
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for name in ["cut", "R2", "mAP", "- back", *controls]:
        table.add_column(name, justify="right", no_wrap=True)
    matches = {one.layer: one for one in result.tensors}
    for cut in result.cuts:
        least = min((matches[layer] for layer in cut.crossing), key=lambda one: one.r2)
        interval = cut.stitched.interval
        change = f"{cut.stitched.change:+.3f}"
        change += "" if interval is None else f" ({interval[0]:+.3f}, {interval[1]:+.3f})"
        table.add_row(
            f"{cut.cut}" + ("*" if len(cut.crossing) > 1 else ""),
            f"{cut.r2:.3f}",
            f"{cut.stitched.map50:.3f}",
            change,
            *(f"{least.controls[name]:.2f} / {cut.controls[name].map50:.3f}" for name in controls),
        )
    return table


def stitch_notes(result: StitchResult) -> list[str]:
    """Sentences that belong below the table."""
    about = result.about
    lines = [
        f"R2: share of the variance of the back's own activations that a stitch explains on "
        f"{about['images_matched_on']} images that it has not seen (fitted on {about['images_fitted_on']}, no labels)",
        f"mAP: of the stitched network on {about['num_images']} images; - back: what it lacks, with its 95 % interval",
    ]
    if any(len(cut.crossing) > 1 for cut in result.cuts):
        lines.append("*: several tensors cross, each through a stitch of its own; R2 is that of the one matched least")
    if result.cuts and result.cuts[0].controls:
        lines.append(
            f"{UNTRAINED}: R2 / mAP with a front that has learnt nothing; {NOISE}: with the front shown noise. What "
            "they reach, any front reaches"
        )
    few = [one.layer for one in result.tensors if one.places < ENOUGH_PLACES * one.channels]
    if few:
        lines.append(
            f"fitted on fewer than {ENOUGH_PLACES} cells for each channel, so that little can be said: layers "
            f"{', '.join(map(str, few))}. Give more images to fit on."
        )
    return lines
