"""Numbers and verdicts -> the page; its words are in page.md.j2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from limits import tables
from limits.at_size import AtSize
from limits.numbers import DRAWS, PERMUTATIONS
from limits.recordings import PAPER_SIZES
from limits.statements import MOSTLY

from gapscope.findings.results import Results
from gapscope.several.statements import STATEMENTS
from gapscope.similarity.blocks import PAPER_BLOCKS
from gapscope.words import percent


def write_page(results: Results, by_size: Sequence[AtSize], pictures: Mapping[int, Sequence[str]], folder: str) -> str:
    """The whole page; `folder` is where its pictures are, as the page's links name it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    first, *others = (results.arm_title(arm) for arm in results.arms)
    page = environment.get_template("page.md.j2").render(
        facts=joined(tables.table(["", ""], [[f"**{key}**", value] for key, value in facts(results, by_size).items()])),
        **scale(results),
        name=results.experiment.name,
        folder=folder,
        in_short=in_short(by_size),
        verdicts=joined(tables.verdicts(by_size)),
        first_arm=first,
        other_arms=" and ".join(others),
        comparisons=len(by_size[0].compared),
        mostly=percent(MOSTLY),
        statements=statements(results, by_size),
        means=joined(tables.means_table(by_size, results)),
        small=by_size[0].size,
        n=by_size[0].images,
        layers=by_size[0].bound.size,
        sizes_judged=joined(tables.sizes_table(by_size)),
        size_table=joined(tables.size_table(by_size)),
        layer_counts=joined(tables.layer_counts(by_size, results)),
        paper_blocks=", ".join(f"{low}-{high}" for low, high in PAPER_BLOCKS),
        num_blocks=len(PAPER_BLOCKS),
        matching=matching(by_size),
        blocks=joined(tables.block_table(by_size, results)),
        enough_pair=f"{first} against {others[0]}, seed {results.seeds[0]}",
        enough=joined(tables.enough_table(by_size)),
        figures=figures(results, pictures),
    )
    return page.rstrip() + "\n"


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def facts(results: Results, by_size: Sequence[AtSize]) -> dict[str, str]:
    """What was compared, on what."""
    experiment, size = results.experiment, results.experiment.data.image_size
    arms = ", ".join(results.arm_title(arm) for arm in results.arms)
    domains = dict.fromkeys(domain for arm in results.arms for domain in experiment.arms[arm].domains)
    trained = " or ".join(
        f"{results.summaries[name].images['train']} images of {results.domain_title(name)}" for name in domains
    )
    sizes = ", ".join(f"{one.size}{' (training size)' if one.size == size else ''}" for one in by_size)
    return {
        "networks": f"{arms}, seeds {', '.join(map(str, results.seeds))}: YOLOv3 of width {experiment.model.width:g} "
        f"(the paper's is 1), trained at {size} x {size} pixels on {trained}; the run is "
        f"[{experiment.name}]({experiment.name}.md)",
        "probe": f"n = {by_size[0].images} test images of {results.domain_title(experiment.probe.domain)}",
        "sizes": f"{sizes} pixels; the paper's are {', '.join(map(str, PAPER_SIZES))}",
        "estimators": "linear CKA, biased as in the paper, and debiased",
        "intervals": f"central 95 % of {DRAWS} draws of the images, the same for all networks and sizes; they do not "
        "hold what other trainings would change",
        "floor": f"mean of {PERMUTATIONS} orders of shuffled images",
        "ceiling": "two seeds of one arm, of arms without frozen layers",
        "device": f"{results.environment.get('device') or 'unknown'} for training, {by_size[0].device} for recording",
    }


def scale(results: Results) -> dict[str, str]:
    """How small the study is beside the paper's."""
    experiment = results.experiment
    domains = dict.fromkeys(domain for arm in results.arms for domain in experiment.arms[arm].domains)
    counts = [f"{results.summaries[name].images['train']:,}" for name in domains]
    return {
        "thin": "thin " if experiment.model.width < 1 else "",
        "width": f"{experiment.model.width:g}",
        "trained_on": " or ".join(dict.fromkeys(counts)),
    }


def in_short(by_size: Sequence[AtSize]) -> list[str]:
    """What came out, counted."""
    lines = []
    for one in by_size:
        by_verdict: dict[str, list[str]] = {}
        for found in one.judged:
            by_verdict.setdefault(found.verdict, []).append(f"({found.statement.letter})")
        said = "; ".join(f"{', '.join(letters)} *{verdict}*" for verdict, letters in by_verdict.items())
        beyond = sum(found.debiased == "yes" and found.excess == "yes" for found in one.judged)
        lines.append(
            f"At **{one.size} px**: {said}. For these networks surely more than between two seeds: {beyond} of "
            f"{len(one.judged)}."
        )
    small = by_size[0]
    for size, verdict, _ in tables.sizes_judged(by_size):
        lines.append(f"(f) that {small.size} px stand for {size} px: *{verdict}*.")
    by_floor = sum("floor" in found.verdict for one in by_size for found in one.judged)
    floors = ", ".join(f"{np.nanmean(tables.mean_floor(one)):.2f} at {one.size} px" for one in by_size)
    touching = sum(int((s["interval_low"] <= s["floor_high"]).sum()) for one in by_size for _, s in one.summaries)
    dimension = ", ".join(f"{np.nanmedian(one.dimension):.0f} at {one.size} px" for one in by_size)
    return [
        *lines,
        f"The biased floor is {floors} (mean over layers); verdicts that put a statement down to "
        f"it: {by_floor} of {sum(len(one.judged) for one in by_size)}.",
        f"Layers that lie within the floor, sizes, pairs and seeds together: {touching}. Layers below the ceiling are "
        "not counted: neighbours are alike, and what intervals over images say of these networks says nothing of other "
        "trainings. With two seeds an arm, exchanging the names of the arms gives no p below 1/3.",
        f"Directions along which a layer tells {small.images} images apart (median effective dimension): {dimension}.",
    ]


def statements(results: Results, by_size: Sequence[AtSize]) -> list[dict[str, Any]]:
    """A section for each statement about curves."""
    found = []
    for place, statement in enumerate(STATEMENTS):
        judged = {one.size: one.judged[place] for one in by_size}
        shares = [f"{percent(one.floor_share)} at {size} px" for size, one in judged.items() if one.biased == "yes"]
        found.append(
            {
                "letter": statement.letter,
                "title": statement.title,
                "paper": statement.paper,
                "number": statement.number,
                "here": "; ".join(f"{size} px *{one.verdict}*" for size, one in judged.items()),
                "shares": ", ".join(shares),
                "level": statement.level,
                "levels": tables.levels(statement, by_size),
                "table": joined(tables.statement_table(statement, by_size, results)),
            }
        )
    return found


def matching(by_size: Sequence[AtSize]) -> str:
    """How many grids have blocks that match the paper's beyond chance."""
    found = [blocks.match.p <= 0.05 for one in by_size for blocks in one.blocks]
    return f"{sum(found)} of {len(found)}"


def figures(results: Results, pictures: Mapping[int, Sequence[str]]) -> list[dict[str, Any]]:
    """Number, caption and one picture per size."""
    titles = [results.arm_title(arm) for arm in results.arms]
    captions = [f"Same-index layers, seed {seed}" for seed in results.seeds[:2]]
    captions.append(f"Layers of {titles[0]} with each other")
    captions += [
        f"{results.arm_title(a)} (rows) against {results.arm_title(b)} (columns)" for a, b in results.pairs[:3]
    ]
    found = []
    for number, caption in enumerate(captions, start=1):
        shown = [(size, name) for size, names in pictures.items() for name in names if f"figure{number}-" in name]
        found.append({"number": number, "caption": caption, "pictures": shown})
    return found
