"""All that may be said of a run, computed once: its numbers, tables and sentences. Looks print and draw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gapscope.findings.advice import Advice, suggestions
from gapscope.findings.answer import Answer
from gapscope.findings.answers import answers, gap_answers
from gapscope.findings.beside_paper import tables_beside_paper
from gapscope.findings.chips import Chip, chips
from gapscope.findings.confounds import Confound, confounds
from gapscope.findings.domain_facts import DomainFacts, domain_facts
from gapscope.findings.elsewhere import no_layers_sentence, no_pairs_sentence
from gapscope.findings.fates import Fates, box_fates
from gapscope.findings.gaps import Gap
from gapscope.findings.graft_tables import graft_tables
from gapscope.findings.grafts import GraftFindings, graft_findings
from gapscope.findings.layer_blocks import BlockRow, block_rows, without_blocks
from gapscope.findings.layer_rows import PartRow, SeedRow, UntrainedRow, part_rows, seed_rows, untrained_rows
from gapscope.findings.network_parts import PartLikeness, network_parts
from gapscope.findings.part_sentences import gap_pair
from gapscope.findings.primary_gap import primary_gap
from gapscope.findings.remedy_numbers import tables_of_remedies
from gapscope.findings.result_tables import ResultTable, five_tables
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers, run_numbers
from gapscope.findings.sentences import generated_note, verdict
from gapscope.findings.three_curves import ThreeCurves, three_curves
from gapscope.findings.training_rows import TrainingRow, not_begun, training_rows
from gapscope.showing import first_few
from gapscope.words import number_of


@dataclass(frozen=True, eq=False)
class Findings:
    """One run: what was measured, and what may be said of it."""

    numbers: RunNumbers
    tables: Sequence[ResultTable]
    """Tables 1-5, 6 and 7 of a run with grafts, 8 and 9 of one with remedies, without those whose numbers are not there
    yet."""
    generated_note: str
    """Which domains are rendered by gapscope itself; empty where none is."""
    answers: Sequence[Answer]
    """The five answers, those that can be given so far."""
    gaps: Sequence[tuple[Gap, str]]
    """Every gap with its sentence, the primary one first."""
    chips: Sequence[Chip]
    """Facts that bound them."""
    parts: Sequence[PartLikeness]
    """How alike the arms of the primary gap are, part by part of the network."""
    fates: Sequence[Fates]
    """What becomes of every labelled box, by arm and test domain."""
    verdict: dict[str, list[str]]
    """More sentences, under each question that can be answered so far."""
    confounds: Sequence[Confound]
    """What weakens that, gravest first."""
    advice: Sequence[Advice]
    """What to do next."""
    part_rows: Sequence[PartRow]
    """Likeness by part of the network."""
    seed_rows: Sequence[SeedRow]
    """Layers that differ."""
    untrained_rows: Sequence[UntrainedRow]
    """Layers that no arm of a pair trained."""
    domains: DomainFacts
    grafts: GraftFindings
    """What parts of one arm do in another; empty where nothing was grafted."""
    three_curves: Sequence[ThreeCurves]
    """How alike, how domain-bound and how costly layers are, of those that were grafted on the main probe's domain."""
    trainings: Sequence[TrainingRow]
    """Those that have finished an epoch."""
    not_begun: Sequence[str]
    """Titles of the others."""

    def __repr__(self) -> str:
        questions = first_few(list(self.verdict))
        return f"<Findings of {self.results.title}: {number_of(len(self.tables), 'table')}, verdict on {questions}>"

    @property
    def results(self) -> Results:
        """The files that all of it rests on."""
        return self.numbers.results

    @cached_property
    def no_layers(self) -> str:
        """Why no layer is compared and none will be; empty where some are, or wait for it."""
        return no_layers_sentence(self.results)

    @property
    def no_pairs(self) -> str:
        """Why no two arms are compared layer by layer; empty where some are, or will be."""
        return no_pairs_sentence(self.results)

    @cached_property
    def tables_beside_paper(self) -> list[ResultTable]:
        """Tables 2-5 with the paper's rows and the run's."""
        return tables_beside_paper(self.numbers)

    @cached_property
    def blocks(self) -> list[BlockRow]:
        """Blocks of layers of every pair of networks; takes some seconds, since chance is tried out."""
        return block_rows(self.results)

    @cached_property
    def without_blocks(self) -> list[tuple[str, str]]:
        """(networks, reason) of the pairs that could not be cut into blocks."""
        return without_blocks(self.results)


def find(results: Results) -> Findings:
    """All that may be said of a run so far.

    Raises:
        InputError: If a grid holds a measure that nobody knows, or a file of detections or a record is broken.
    """
    numbers = run_numbers(results)
    weak, advice, trainings = confounds(numbers), suggestions(numbers), training_rows(results)
    fates = box_fates(results)
    pair = gap_pair(results, primary_gap(numbers))
    parts = network_parts(numbers.layers, pair) if pair else []
    grafts = graft_findings(results)
    curves = three_curves(results, numbers.layers, grafts)
    return Findings(
        numbers=numbers,
        tables=[*five_tables(numbers), *graft_tables(results, grafts, curves), *tables_of_remedies(numbers)],
        generated_note=generated_note(results),
        answers=answers(numbers, parts, fates, advice, weak),
        gaps=gap_answers(numbers),
        chips=chips(numbers, trainings),
        parts=parts,
        fates=fates,
        verdict=verdict(numbers),
        confounds=weak,
        advice=advice,
        part_rows=part_rows(numbers.layers),
        seed_rows=seed_rows(numbers.layers),
        untrained_rows=untrained_rows(numbers.layers),
        domains=domain_facts(results),
        grafts=grafts,
        three_curves=curves,
        trainings=trainings,
        not_begun=not_begun(results),
    )


def tables_of(results: Results) -> list[ResultTable]:
    """Tables 1-5 of a run, without those whose numbers are not there yet."""
    return five_tables(run_numbers(results))
