"""What closes the gap, as figures for a paper: remedies with their intervals, and mAP by number of labelled images."""

from collections.abc import Iterator

import pandas as pd

from gapscope.findings.gaps import Gap
from gapscope.findings.remedy_numbers import budget_rows
from gapscope.findings.remedy_table import remedy_rows
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.paper.captions import seed_words
from gapscope.paper.planned import Planned
from gapscope.plot.remedies import CURVES, POINTS, budgets, remedies, shares
from gapscope.plot.style import Plot

WITHOUT = "Whiskers: 95 % intervals over the test images, which all arms share in every draw; what another seed would "


def remedy_figures(numbers: RunNumbers) -> Iterator[Planned]:
    """One of each kind for every gap against which something has been tried."""
    results, ranked = numbers.results, pd.DataFrame(list(remedy_rows(numbers)))
    end = f"{WITHOUT}change is not in them. Means over {seed_words(results.seeds)}."
    for gap in (gap for gap in numbers.gaps if any(one.gap is gap for one in numbers.remedies)):
        rows = ranked[(ranked["domain"] == gap.domain) & (ranked["without"] == gap.other)]
        rows = rows.assign(remedy=[results.arm_title(arm) for arm in rows["remedy"]])
        caption = (
            f"AP points that remedies regain on {gap.num_images} test images of {results.domain_title(gap.domain)}, "
            f"against {results.arm_title(gap.other)}; dashed: its gap to {results.arm_title(gap.home)}. {end}"
        )
        yield Planned(
            f"remedies-{_name(gap)}", _remedies, (rows[[*POINTS, *(["share"] if "share" in rows else [])]],), caption
        )
    for one in numbers.budgets:
        rows = pd.DataFrame(list(budget_rows([one])))
        caption = (
            f"mAP@0.5 on {one.gap.num_images} test images of {results.domain_title(one.gap.domain)} by the number of "
            f"labelled images of it (logarithmic axis): alone, mixed with all synthetic images, or for fine-tuning of "
            f"{results.arm_title(one.gap.other)}. Dashed: adapted to further images without labels. {end}"
        )
        yield Planned(f"budgets-{_name(one.gap)}", _budgets, (rows[[*CURVES]],), caption)
    for arm in (arm for arm in results.arms if any(one.path for one in results.summaries_of(arm))):
        first, second = (results.arm_title(one) for one in results.experiment.arms[arm].average)
        caption = (
            f"mAP@0.5 of the average of the weights of {first} and {second} by the share of {second}, on validation "
            f"images, which choose the share: lines are means over {seed_words(results.seeds)}, marks single seeds."
        )
        yield Planned(f"average-{arm}", _shares, (pd.DataFrame(list(path_rows(results, arm))),), caption)


def path_rows(results: Results, arm: str) -> Iterator[dict[str, str | int | float]]:
    """What was tried to choose the shares of an average: share of its second arm, domain, seed, mAP@0.5 there."""
    second = list(results.experiment.arms[arm].average)[1]
    for run in results.runs(arm):
        training = results.trainings.get(run)
        for point in training.summary.path if training and training.summary else ():
            for domain, map50 in point["val_map50"].items():
                title = results.domain_title(domain)
                yield {"share": point["shares"][second], "domain": title, "seed": run.seed, "map50": map50}


def _remedies(rows: pd.DataFrame, width: float) -> Plot:
    return remedies(rows, width=width)


def _budgets(rows: pd.DataFrame, width: float) -> Plot:
    return budgets(rows, width=width)


def _shares(rows: pd.DataFrame, width: float) -> Plot:
    return shares(rows, width=width)


def _name(gap: Gap) -> str:
    return f"{gap.other}-on-{gap.domain}"
