"""A finished run of two seeds -> the pictures of docs/reading-cka.md: values with floor, with ceiling, as an effect.

python scripts/write_reading_pictures.py runs/demo        # writes docs/images/reading-*.png
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

import gapscope
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.plot.grids import grid_curve
from gapscope.plot.lines import along_layers, draw_curve, draw_references, layer_curves
from gapscope.plot.style import TWO_COLUMNS, Plot, legend_below, style_of

PICTURES = Path(__file__).parents[1] / "docs/images"


def main(run: Path) -> None:
    """Draw, and print the values that the page names."""
    results = read_results(run)
    a, b = results.arms[:2]
    images = results.grid(a, b).attrs["n"]
    write(floors(results, a, b), "reading-floor")
    ceilings = [grid_curve(results.grid(arm, arm, seed=(0, 1)), "cka_debiased") for arm in (a, b)]
    label = f"{results.arm_title(a)} against {results.arm_title(b)}, seed 0"
    curve = grid_curve(results.grid(a, b), "cka_debiased", label)
    options = {"title": f"{images} images: value, floor and ceiling", "estimator": "CKA (debiased)"}
    write(layer_curves([curve], ceilings, width=TWO_COLUMNS, **options), "reading-ceiling")
    title = f"the same as an effect: 0 is the floor, 1 the ceiling ({images} images)"
    write(gapscope.plot.effect(results.effect(a, b), title=title), "reading-effect")
    effect = results.effect(a, b)
    for layer in (0, 36, 74, 82, 106):
        biased, debiased = (grid_curve(results.grid(a, b), name) for name in ("cka_biased", "cka_debiased"))
        one = effect.sel(layer=layer)
        print(
            f"layer {layer}: biased {biased.value[layer]:.2f} (floor to {biased.floor_high[layer]:.2f}), debiased "
            f"{debiased.value[layer]:.2f} (floor {debiased.floor_low[layer]:.2f} to {debiased.floor_high[layer]:.2f}; "
            f"95 % {debiased.interval_low[layer]:.2f} to {debiased.interval_high[layer]:.2f}), ceiling "
            f"{float(one['ceiling']):.2f}, effect {float(one['effect']):.2f} "
            f"({float(one['effect_low']):.2f} to {float(one['effect_high']):.2f}) {one['reason'].item()}"
        )


def floors(results: Results, a: str, b: str) -> Plot:
    """One pair of networks by both estimators, each above its own floor."""
    curves = [grid_curve(results.grid(a, b), measure) for measure in ("cka_biased", "cka_debiased")]
    titles = ("biased, as in the paper: its floor is high", "debiased: its floor lies about 0")
    figure, panels, _ = along_layers(curves[0].layers.tolist(), TWO_COLUMNS, 4.6, panels=2)
    with mpl.rc_context(style_of(TWO_COLUMNS)):
        for axes, curve, title in zip(panels, curves, titles, strict=True):
            draw_curve(axes, curve, 0, "the two networks, 95 %")
            draw_references(axes, [curve], [])
            axes.set_ylim(min(-0.05, float(np.nanmin(curve.floor_low)) - 0.02), 1.02)
            axes.set(ylabel="CKA", title=title)
        legend_below(figure, *panels[0].get_legend_handles_labels())
    return figure


def write(figure: Plot, name: str) -> None:
    """As a picture of the documentation."""
    figure.savefig(PICTURES / f"{name}.png", dpi=200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    main(parser.parse_args().run)
