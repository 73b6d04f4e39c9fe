"""Tables 6 and 7: what each part of one arm does in another, and whether layers that differ are layers that cost."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from gapscope.findings.estimates import Estimate
from gapscope.findings.grafts import GraftedPair, GraftedPart, GraftFindings
from gapscope.findings.result_tables import UNDEFINED, ResultTable
from gapscope.findings.results import Results
from gapscope.findings.three_curves import BOUND, COST, DIFFERENT, WORDS, ThreeCurves

STATISTICS = {"own": "own", "estimated": "newly estimated"}
"""Kind of batch statistics -> how tables call it."""
MADE = ("left_out", "control", "rewind", "untrained", "share")
"""What stands beside a part alone, where any part has it."""


def graft_tables(results: Results, grafts: GraftFindings, curves: Sequence[ThreeCurves]) -> list[ResultTable]:
    """Those whose numbers are there."""
    tables = [parts_table(results, grafts), ranks_table(results, curves)]
    return [table for table in tables if table.rows]


def parts_table(results: Results, grafts: GraftFindings) -> ResultTable:
    """Table 6: a row for every part of every donor in every host."""
    parts = [(pair, part) for pair in grafts.pairs for part in pair.parts]
    there = [name for name in MADE if any(getattr(part, name) is not None for _, part in parts)]
    rows = [(*_row_names(results, pair), part.name, *_part_cells(part, there)) for pair, part in parts]
    names = ["alone", "95 %", *(name.replace("_", " ") for name in there), "verdict"]
    columns = tuple(("", name) for name in ("Host", "Donor", "seed", "Domain", "Statistics", "Part", *names))
    caption = (
        "What each part of the donor changes in the host, in AP points (100 times mAP@0.5): alone and, where it was "
        "asked for, when it alone is left out, the same part of another seed of the host's arm (control), as it was "
        "before training (rewind), untrained, and its share of the gap. 95 %: interval over the test images, paired; "
        "what other trainings would change is not in it. Intervals are of single parts, verdicts of all parts together."
    )
    return ResultTable(6, caption, columns, tuple(rows), pd.DataFrame(list(_numbers(grafts))), num_labels=6)


def _row_names(results: Results, pair: GraftedPair) -> tuple[str, ...]:
    arms = results.arm_title(pair.host.arm), results.arm_title(pair.donor.arm)
    return (*arms, str(pair.host.seed), results.domain_title(pair.domain), STATISTICS[pair.statistics])


def _part_cells(part: GraftedPart, there: Sequence[str]) -> Iterator[str]:
    yield points(part.alone)
    yield f"{points_of(part.alone.low)} to {points_of(part.alone.high)}" if part.alone.has_interval else UNDEFINED
    for name in there:
        error = f" ±{100 * part.share_error:.1f}" if name == "share" and part.share_error > 0 else ""
        yield points(getattr(part, name)) + error
    yield part.verdict


def points(found: Estimate | None) -> str:
    """A change in AP points with its sign; a dash where there is none."""
    return UNDEFINED if found is None else points_of(found.value)


def points_of(value: float) -> str:
    """`+3.1`"""
    return f"{100 * value:+.1f}" if math.isfinite(value) else UNDEFINED


def _numbers(grafts: GraftFindings) -> Iterator[dict[str, object]]:
    for pair in grafts.pairs:
        start = {
            "host": pair.host.arm,
            "donor": pair.donor.arm,
            "seed": pair.host.seed,
            "domain": pair.domain,
            "statistics": pair.statistics,
        }
        whole = {"part": "", "layers": "", "what": "gap", "verdict": "", "why": ""}
        yield {**start, **whole, **_columns(pair.gap)}
        for part in pair.parts:
            about = {"part": part.name, "layers": f"{part.layers[0]}-{part.layers[-1]}"}
            said = {"verdict": part.verdict, "why": part.why}
            for what in ("alone", *MADE):
                found = getattr(part, what)
                if found is not None:
                    yield {**start, **about, "what": what, **(said if what == "alone" else {}), **_columns(found)}


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def ranks_table(results: Results, curves: Sequence[ThreeCurves]) -> ResultTable:
    """Table 7: for every host and donor the part least alike, the part that gives back most, and rank correlations."""
    pairs = [(DIFFERENT, COST), (BOUND, COST), (DIFFERENT, BOUND)]
    there = [key for key in pairs if any(key in one.ranks for one in curves)]
    rows, numbers = [], []
    for one in curves:
        names = _row_names(results, one.pair)
        told = sum(part.told for part in one.pair.parts)
        cells = [one.least_alike or UNDEFINED, one.costliest or UNDEFINED, f"{told} of {len(one.pair.parts)}"]
        for key in there:
            found = one.ranks.get(key)
            known = found is not None and math.isfinite(found.rho)
            cells += [f"{found.rho:+.2f}", f"{found.p_either:.2f}"] if found and known else [UNDEFINED, UNDEFINED]
            if found is not None:
                numbers.append(
                    {
                        "host": one.pair.host.arm,
                        "donor": one.pair.donor.arm,
                        "seed": one.pair.host.seed,
                        "domain": one.domain,
                        "statistics": one.pair.statistics,
                        "curves": " and ".join(key),
                        "rho": found.rho,
                        "p": found.p_either,
                        "layers": found.layers,
                    }
                )
        rows.append((*names, *cells))
    columns = [("", name) for name in ("Host", "Donor", "seed", "Domain", "Statistics")]
    columns += [("", name) for name in ("least alike", "gives back most", "parts told")]
    for key in there:
        group = f"{WORDS[key[0]]}, {WORDS[key[1]]}"
        columns += [(group, "rho"), (group, "p")]
    caption = (
        "Are layers that differ layers that cost? The part least alike by the mean of its layers, the part that gives "
        "back most of the gap alone (of those that surely do), and rank correlations (Spearman) over "
        "the layers that both define, with p by circular shifts in either direction; a layer costs what its part gives "
        "back."
    )
    return ResultTable(7, caption, tuple(columns), tuple(rows), pd.DataFrame(numbers), num_labels=5)
