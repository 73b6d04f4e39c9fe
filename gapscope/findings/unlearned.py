"""Have the arms learned anything? Of networks that have not, neither gap nor likeness says something about data."""

from gapscope.findings.run_numbers import RunNumbers

HARDLY = 0.1
"""An arm with less mAP than this on a domain it was trained on has hardly learned."""


def arms_that_hardly_learned(numbers: RunNumbers) -> dict[tuple[str, str], float]:
    """(arm, domain that it was trained on) -> mAP@0.5 there, of those that are below `HARDLY`.

    Where there are gaps, only arms that have one, or that one is held against, are looked at: a remedy with few images
    may learn little, and that is what was to be found out.
    """
    results = numbers.results
    in_gaps = {arm for gap in numbers.gaps for arm in (gap.home, gap.other)} or set(results.arms)
    means = {
        (arm, domain): numbers.scores.of(arm, domain).known_mean
        for arm in results.arms
        if arm in in_gaps
        for domain in results.experiment.arms[arm].domains
        if domain in results.test_domains
    }
    return {key: mean for key, mean in means.items() if mean < HARDLY}
