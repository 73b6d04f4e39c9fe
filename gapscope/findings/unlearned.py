"""Have the arms learned anything? Of networks that have not, neither gap nor likeness says something about data."""

from gapscope.findings.run_numbers import RunNumbers

HARDLY = 0.1
"""An arm with less mAP than this on a domain it was trained on has hardly learned."""


def arms_that_hardly_learned(numbers: RunNumbers) -> dict[tuple[str, str], float]:
    """(arm, domain that it was trained on) -> mAP@0.5 there, of those that are below `HARDLY`."""
    results = numbers.results
    means = {
        (arm, domain): numbers.scores.of(arm, domain).known_mean
        for arm in results.arms
        for domain in results.experiment.arms[arm].domains
        if domain in results.test_domains
    }
    return {key: mean for key, mean in means.items() if mean < HARDLY}
