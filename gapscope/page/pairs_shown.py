"""Of a study of very many arms, which pairs does the page draw? All are in its tables and in the run folder."""

from gapscope.findings.results import Results

MOST_PAIRS = 60
"""Pairs of arms whose curves, maps and influential images are on the page: about 20 kB each, once compressed."""


def shown_pairs(results: Results) -> list[tuple[str, str]]:
    """The first of them, in the experiment's order: with many arms, the first arm with each other one."""
    return results.pairs[:MOST_PAIRS]
