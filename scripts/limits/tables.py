"""Numbers -> the page's tables, in Markdown."""

from collections.abc import Sequence

import numpy as np
from limits.at_size import AtSize
from limits.judged import Compared, both, with_interval
from limits.statements import beyond_seeds, size_verdict
from scipy.stats import rankdata

from gapscope.findings.layer_curves import BIASED, DEBIASED
from gapscope.findings.results import Results
from gapscope.several.statements import STATEMENTS, Answer, Array, Statement, defined_mean, lowest, mean_of
from gapscope.similarity.blocks import PAPER_BLOCKS

WITHIN = 0.01
"""How near a mean over layers is to be, to call the images enough."""

PARTS = {"all": (0, 106), "backbone": (0, 74), "head": (75, 106)}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def shown(value: float, form: str = ".2f") -> str:
    return "undefined" if np.isnan(value) else f"{value:{form}}"


def spread(middle: float, low: float, high: float, sign: str = "") -> str:
    if np.isnan([middle, low, high]).any():
        return f"{shown(middle, f'{sign}.2f')} [undefined in some draw]"
    return f"{middle:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def verdicts(by_size: Sequence[AtSize]) -> list[str]:
    """A row per statement, a column per size."""
    rows = []
    for place, statement in enumerate(STATEMENTS):
        found = [one.judged[place] for one in by_size]
        cells = [f"**{one.verdict}** ({one.sure} of {one.comparisons}); {beyond_seeds(one.excess)}" for one in found]
        rows.append([f"({statement.letter}) {statement.title}", *cells])
    return table(["statement", *(f"{one.size} px" for one in by_size)], rows)


def statement_table(statement: Statement, by_size: Sequence[AtSize], results: Results) -> list[str]:
    """A row per size and pair of arms: means over seeds."""
    header = [
        "size, pair",
        f"biased: {statement.inside_name}",
        "contrast",
        "of it floor",
        f"debiased: {statement.inside_name}",
        "contrast",
        "between two seeds",
        "effect",
    ]
    rows = []
    for one in by_size:
        for arms in dict.fromkeys(found.arms for found in one.compared):
            name = " vs ".join(results.arm_title(arm) for arm in arms)
            rows.append([f"{one.size} px, {name}", *_statement_cells(statement, both(one.compared, arms))])
    return table(header, rows)


def _statement_cells(statement: Statement, seeds: Sequence[Compared]) -> list[str]:
    cells = []
    for estimator in (BIASED, DEBIASED):
        curves = [one.curve[estimator] for one in seeds]
        for number, sign in ((statement.inside, ""), (statement.contrast, "+")):
            values, draws = [number(curve.value) for curve in curves], [number(curve.draws) for curve in curves]
            cells.append(spread(*with_interval(values, draws), sign))
        if estimator == BIASED:
            cells.append(shown(float(np.mean([statement.contrast(curve.floor) for curve in curves])), "+.2f"))
    ceilings = [statement.contrast(ceiling[DEBIASED].value) for one in seeds for ceiling in one.ceilings]
    effect = float(np.mean([one.effect(statement) for one in seeds]))
    return [*cells, shown(float(np.mean(ceilings)), "+.2f"), shown(effect)]


def means_table(by_size: Sequence[AtSize], results: Results) -> list[str]:
    """Table 5 of the paper at every size: all layers, backbone and head, each seed."""
    rows = []
    for one in by_size:
        for arms in dict.fromkeys(found.arms for found in one.compared):
            cells = [f"{one.size} px", " vs ".join(results.arm_title(arm) for arm in arms)]
            for estimator in (BIASED, DEBIASED):
                curves = np.array([found.curve[estimator].value for found in both(one.compared, arms)])
                for first, last in PARTS.values():
                    cells.append(", ".join(map(shown, mean_of(curves, first, last))))
            rows.append(cells)
    header = [f"{name}: {part}" for name in ("biased", "debiased") for part in PARTS]
    return table(["size", "networks", *header], rows)


def levels(statement: Statement, by_size: Sequence[AtSize]) -> str:
    """What the paper gives a number for, over all comparisons of a size, biased as there."""
    values = {
        one.size: statement.level_of(np.array([found.curve[BIASED].value for found in one.compared])) for one in by_size
    }
    return ", ".join(f"{shown(value)} at {size} px" for size, value in values.items())


def mean_floor(one: AtSize) -> Array:
    """The biased floor (layers,), mean over comparisons."""
    return np.mean([found.curve[BIASED].floor for found in one.compared], axis=0)


def size_table(by_size: Sequence[AtSize]) -> list[str]:
    """What an image size does to estimator and layers."""
    rows = []
    for one in by_size:
        floors, dimension, others = mean_floor(one), one.dimension, one.images - 1
        means = [
            defined_mean(np.array([found.curve[name].value for found in one.compared]), None)
            for name in (BIASED, DEBIASED)
        ]
        ceilings = [ceiling[DEBIASED].value for found in one.compared for ceiling in found.ceilings]
        rows.append(
            [
                f"{one.size} px",
                f"{np.nanmedian(dimension):.0f} ({np.nanmin(dimension):.0f}-{np.nanmax(dimension):.0f})",
                f"{np.nanmedian(dimension[:, 62:86]):.0f}",
                f"{np.nanmean(floors):.2f}, at most {np.nanmax(floors):.2f} (layer {np.nanargmax(floors)})",
                f"{np.nanmean(dimension / (others + dimension)):.2f}",
                f"{one.bound.mean():.2f}",
                *(f"{value:.2f}" for value in (*means, defined_mean(np.array(ceilings), None))),
            ]
        )
    header = ["size", "effective dimension d: median (range)", "median in layers 62-85", "biased floor: mean"]
    header += ["mean of d / (n - 1 + d)", "mean of p / (n - 1 + p)"]
    return table([*header, "biased mean", "debiased mean", "debiased mean of two seeds"], rows)


def moved_between(small: AtSize, large: AtSize) -> tuple[float, float, tuple[float, float, float]]:
    """Mean over layers of how far the size moves the debiased curves, how far a seed does, and rank correlations."""
    pairs = [(a.curve[DEBIASED], b.curve[DEBIASED]) for a, b in zip(small.compared, large.compared, strict=True)]
    moved = float(defined_mean(np.array([np.abs(a.value - b.value) for a, b in pairs]), None))
    arms = dict.fromkeys(one.arms for one in large.compared)
    seeds = [[one.curve[DEBIASED].value for one in both(large.compared, pair)] for pair in arms]
    apart = np.array([np.abs(values[0] - other) for values in seeds for other in values[1:]])
    by_seed = float(defined_mean(apart, None))
    correlations = [rank_correlation(a.value, b.value) for a, b in pairs]
    drawn = [rank_correlation(a.draws, b.draws) for a, b in pairs]
    return moved, by_seed, with_interval(correlations, drawn)


def rank_correlation(a: Array, b: Array) -> Array:
    """Spearman's, over the last axis: of curves (..., layers), paired (...)."""
    ranks = [rankdata(one, axis=-1) for one in (a, b)]
    x, y = (one - one.mean(-1, keepdims=True) for one in ranks)
    return (x * y).sum(-1) / np.sqrt(np.square(x).sum(-1) * np.square(y).sum(-1))


def sizes_judged(by_size: Sequence[AtSize]) -> list[tuple[int, str, list[str]]]:
    """Each larger size against the smallest: size, verdict, cells of a table."""
    small, rows = by_size[0], []
    for large in by_size[1:]:
        moved, by_seed, correlation = moved_between(small, large)
        answers: list[list[Answer]] = [[one.debiased for one in which.judged] for which in (small, large)]
        found = size_verdict(answers[0], answers[1], moved, by_seed)
        cells = [f"{small.size} against {large.size} px", spread(*correlation), f"{moved:.2f}", f"{by_seed:.2f}"]
        rows.append((large.size, found, [*cells, f"**{found}**"]))
    return rows


def sizes_table(by_size: Sequence[AtSize]) -> list[str]:
    """What `sizes_judged` found."""
    header = ["sizes", "rank correlation of curves", "mean change with size", "mean change with seed", "verdict"]
    return table(header, [cells for _, _, cells in sizes_judged(by_size)])


def layer_counts(by_size: Sequence[AtSize], results: Results) -> list[str]:
    """By how much networks fall short of the ceiling, and how much of what two seeds share they share."""
    rows = []
    for one in by_size:
        for (a, b), summary in one.summaries:
            name = f"{results.arm_title(a.arm)} vs {results.arm_title(b.arm)}, seed {a.seed}"
            short = f"{defined_mean(summary['shortfall'].to_numpy()):.2f}"
            rows.append([f"{one.size} px", name, short, least(summary["effect"].to_numpy())])
    return table(["size", "networks", "shortfall, mean over layers", "effect, mean over layers"], rows)


def least(effect: Array) -> str:
    """The mean over layers, and where it is smallest."""
    if np.isnan(effect).all():
        return "undefined in all layers"
    return f"{defined_mean(effect):.2f}, least {lowest(effect):.2f} at layer {np.nanargmin(effect)}"


def block_table(by_size: Sequence[AtSize], results: Results) -> list[str]:
    """Found blocks beside the paper's."""
    rows = []
    for one in by_size:
        for blocks in one.blocks:
            a, b = (results.run_title(name) for name in blocks.pair)
            ranges = ", ".join(f"{first}-{last}" for first, last in blocks.found.ranges)
            match = blocks.match
            numbers = [f"{value:.2f}" for value in (match.adjusted_rand, match.chance_rand)]
            name = f"{a} with itself" if a == b else f"{a} vs {b}"
            rows.append([f"{one.size} px", name, ranges, *numbers, f"{match.p:.3f}", f"{match.boundary_f1:.2f}"])
    header = ["size", "rows of the grid", f"the best {len(PAPER_BLOCKS)} blocks", "adjusted Rand"]
    return table([*header, "of equally regular cuts", "p", "boundaries within 1 layer (F1)"], rows)


def enough_table(by_size: Sequence[AtSize]) -> list[str]:
    """From how many images on the mean over layers stays within 0.01 of that of all."""
    sizes = by_size[0].enough[0].sizes
    later = min(2, len(sizes) - 1)
    rows = []
    for one in by_size:
        draws = one.compared[0].curve
        for enough in one.enough:
            means = defined_mean(draws[enough.estimator].draws)
            low, high = np.quantile(means, (0.025, 0.975))
            half = (high - low) / 2
            needed = one.images * (half / WITHIN) ** 2
            expected = settled_from(enough.sizes, np.abs(enough.mean - enough.whole))
            rows.append(
                [
                    f"{one.size} px",
                    enough.estimator.removeprefix("cka_"),
                    f"{enough.whole:.3f}",
                    f"{enough.mean[0] - enough.whole:+.3f}, {enough.mean[later] - enough.whole:+.3f}",
                    "more than drawn" if expected is None else str(expected),
                    f"{half:.3f}",
                    f"{float(f'{needed:.2g}'):.0f}",
                ]
            )
    header = ["size", "estimator", f"all {by_size[0].images} images", f"{sizes[0]} and {sizes[later]} images: off by"]
    return table([*header, "on average within 0.01 from", "95 % interval, +-", "images for 0.01"], rows)


def settled_from(sizes: Sequence[int], off: Array) -> int | None:
    """The first of rising sizes from which on the mean stays within 0.01, or None."""
    outside = np.flatnonzero(np.asarray(off) > WITHIN)
    after = int(outside[-1]) + 1 if len(outside) else 0
    return sizes[after] if after < len(sizes) else None
