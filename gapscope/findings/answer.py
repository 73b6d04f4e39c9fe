"""One of the five answers of a run: sentences, and the numbers in them with the files that hold these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gapscope.findings.estimates import Estimate
from gapscope.findings.results import Results

QUESTIONS = {
    "gap": "How big is the gap?",
    "sure": "How sure is that?",
    "where": "Where in the network is it?",
    "next": "What next?",
    "trust": "How was it made?",
}
"""By key, in the order in which they are asked."""


@dataclass(frozen=True)
class Number:
    """A number of an answer, and where it comes from."""

    name: str
    of: Estimate
    unit: str
    files: tuple[str, ...]
    """In the run folder."""
    seeds: Mapping[int, float] = field(default_factory=dict)
    """The same seed by seed."""


@dataclass(frozen=True)
class Answer:
    """What may be said to one question."""

    key: str
    sentences: tuple[str, ...]
    numbers: tuple[Number, ...] = ()

    @property
    def question(self) -> str:
        return QUESTIONS[self.key]

    @property
    def text(self) -> str:
        """All sentences in a row."""
        return " ".join(self.sentences)


def evaluation_files(results: Results, arms: Sequence[str], domain: str) -> tuple[str, ...]:
    """The evaluation files of arms on a domain that are there, as paths in the run folder."""
    there = (run for run in results.runs(*arms) if (run, domain) in results.evaluations)
    return tuple(results.run_folder.evaluation(run, domain).relative_to(results.folder).as_posix() for run in there)
