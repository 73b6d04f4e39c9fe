"""With which weights did the arms begin, and what had those been trained on?"""

from gapscope.config import Arm
from gapscope.findings.results import Results

STREETS_STYLE = "game"
"""The style of the rendered streets that the backbone `streets` was trained on: docs/streets-backbone.md."""


def start_words(results: Results) -> list[str]:
    """One phrase per start that a reported arm has, in the arms' order."""
    arms = results.experiment.arms
    return list(dict.fromkeys(_words(results, arms[name]) for name in results.arms if arms[name].is_trained))


def _words(results: Results, arm: Arm) -> str:
    start, head = arm.start, ", head included," if arm.keep_head else ","
    if start == "scratch":
        return "random weights"
    if start == "streets":
        seen = [
            results.domain_title(name)
            for name, domain in results.experiment.domains.items()
            if domain.generate and domain.generate.style == STREETS_STYLE
        ]
        warned = f", so {' and '.join(seen)} is no control of the start" if seen else ""
        return f"the backbone streets, trained on style {STREETS_STYLE}{warned}"
    if start in results.experiment.arms:
        domains = [results.domain_title(one) for one in results.experiment.arms[start].domains]
        return f"the arm {results.arm_title(start)}{head} trained on {' and '.join(domains)}"
    return f"the file {start}{head} which does not say what it was trained on"
