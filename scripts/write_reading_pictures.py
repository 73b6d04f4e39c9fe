"""Four small trained networks on 200 rendered streets -> the pictures of docs/reading-cka.md.

    python scripts/write_reading_pictures.py        # writes docs/images/reading-*.png; a minute or two on one core

The networks are those of tests/data/finished_run.tar.xz: two arms with two seeds, a fiftieth of YOLOv3's width, trained on
40 streets of 64 pixels. They are real networks, and small enough to be kept; nothing is to be concluded from them.
"""

import tarfile
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import torch
import xarray as xr

import gapscope
from gapscope.data.images import find_images, read_pixels
from gapscope.plot.grids import grid_curve
from gapscope.plot.lines import along_layers, draw_curve, draw_references, layer_curves
from gapscope.plot.style import TWO_COLUMNS, Plot, legend_below, style_of
from gapscope.recording.recording import Recording
from gapscope.streets.write import write_domain

ROOT = Path(__file__).parents[1]
ARCHIVE, PICTURES = ROOT / "tests/data/finished_run.tar.xz", ROOT / "docs/images"
IMAGES, SIZE, SEED = 200, 64, 77
ARMS = {"u-real": "trained on the camera's streets", "f-synthetic": "on the engine's, layers 0-4 frozen"}


def main() -> None:
    """Record, compare, draw."""
    with TemporaryDirectory() as place:
        recorded = recordings(Path(place))
    real, other = recorded["u-real", 0], recorded["f-synthetic", 0]
    pair = compared(real, other)
    seeds = [compared(recorded[arm, 0], recorded[arm, 1]) for arm in ARMS]
    write(floors(pair), "reading-floor")
    curve = grid_curve(pair, "cka_debiased", "two arms, one seed")
    ceilings = [grid_curve(one, "cka_debiased") for one in seeds]
    title = f"Two arms between floor and ceiling ({IMAGES} images)"
    write(layer_curves([curve], ceilings, title=title, estimator="CKA (debiased)", width=TWO_COLUMNS), "reading-ceiling")
    pairs = [(recorded[arm, a], recorded[arm, b]) for arm in ARMS for a, b in combinations((0, 1), 2)]
    effect = gapscope.layer_summary(real, other, pairs, permutations=100, bootstraps=200)
    title = f"The same, as an effect: 0 is the floor, 1 the ceiling ({IMAGES} images)"
    write(gapscope.plot.effect(effect, title=title), "reading-effect")
    for name, one in (("two arms", pair), ("two seeds", seeds[0])):
        for measure in ("cka_debiased", "cka_biased"):
            told = grid_curve(one, measure)
            shown = ", ".join(f"layer {i} {told.value[i]:.2f}" for i in (0, 36, 74, 82, 106))
            print(f"{name}, {measure}: {shown}; floor at 74 {told.floor_low[74]:.2f} to {told.floor_high[74]:.2f}")


def recordings(place: Path) -> dict[tuple[str, int], Recording]:
    """All four networks over the same streets, which none of them was trained on."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(place, filter="data")
    write_domain(place / "streets", style="camera", images=IMAGES, size=SIZE, seed=SEED)
    images = torch.stack([read_pixels(path) for path in find_images(place / "streets/images")])
    found = {}
    for arm in ARMS:
        for seed in (0, 1):
            network = gapscope.load_weights(place / f"run/arms/{arm}/seed{seed}/weights.safetensors")
            found[arm, seed] = gapscope.record(
                network, images, size=SIZE, provenance={"arm": arm, "seed": str(seed), "probe": "streets"}
            )
    return found


def compared(a: Recording, b: Recording) -> xr.Dataset:
    """Each layer with its counterpart, by both estimators, with floor and interval."""
    return gapscope.compare(a, b, cells="diagonal", permutations=100, bootstraps=200)


def floors(pair: xr.Dataset) -> Plot:
    """One pair of networks by both estimators, each above its own floor."""
    curves = [grid_curve(pair, measure) for measure in ("cka_biased", "cka_debiased")]
    titles = ("biased, as in the paper: its floor is high", "debiased: its floor lies about 0")
    figure, panels, _ = along_layers(curves[0].layers.tolist(), TWO_COLUMNS, 4.6, panels=2)
    with mpl.rc_context(style_of(TWO_COLUMNS)):
        for number, (axes, curve, title) in enumerate(zip(panels, curves, titles, strict=True)):
            draw_curve(axes, curve, number, "the two networks, 95 %")
            draw_references(axes, [curve], [])
            axes.set_ylim(min(-0.05, float(np.nanmin(curve.floor_low)) - 0.02), 1.02)
            axes.set(ylabel="CKA", title=title)
        legend_below(figure, *panels[-1].get_legend_handles_labels())
    return figure


def write(figure: Plot, name: str) -> None:
    """As a picture of the documentation."""
    figure.savefig(PICTURES / f"{name}.png", dpi=130)


if __name__ == "__main__":
    main()
