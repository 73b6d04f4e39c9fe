"""What each section of the page is given, by the names that its template uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gapscope.detector.network_map import Block, LayerMap
from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.findings.findings import Findings
from gapscope.findings.gaps import Gap
from gapscope.findings.layer_differences import RULES
from gapscope.findings.layer_rows import PartRow, SeedRow, UntrainedRow
from gapscope.page.cell_tables import CellTable, TablesByDomain
from gapscope.page.galleries import Gallery, Picture, galleries, sample_pictures
from gapscope.page.mistake_tables import calibration_table, confusion_tables, error_tables, outcome_tables
from gapscope.page.pairs_shown import shown_pairs
from gapscope.page.performance_tables import best_tables, class_tables, old_evaluations, size_tables
from gapscope.paper.domain_figures import as_data_uri, domain_figures


@dataclass(frozen=True)
class PerformanceSection:
    """Tables, and what the controls begin with."""

    arms: Sequence[str]
    """Titles."""
    domains: Sequence[str]
    """Titles."""
    gaps: Sequence[Gap]
    old: Sequence[str]
    """Evaluation files of before there were intervals and curves."""
    has_details: bool
    by_class: TablesByDomain
    by_size: TablesByDomain
    best: TablesByDomain
    outcomes: TablesByDomain
    errors: TablesByDomain
    kinds: Mapping[str, str]
    """What each kind of mistake is."""
    confusions: TablesByDomain
    calibration: CellTable | None
    pair: tuple[int, int]
    """The arms whose confusion matrices are shown first."""


def performance_section(findings: Findings) -> PerformanceSection:
    """From the findings of a run."""
    numbers, results = findings.numbers, findings.results
    first = numbers.gaps[0] if numbers.gaps else None
    return PerformanceSection(
        arms=[results.arm_title(arm) for arm in results.arms],
        domains=[results.domain_title(domain) for domain in results.test_domains],
        gaps=numbers.gaps,
        old=old_evaluations(results),
        has_details=any(evaluation.curves is not None for evaluation in results.evaluations.values()),
        by_class=class_tables(numbers),
        by_size=size_tables(numbers),
        best=best_tables(numbers),
        outcomes=outcome_tables(numbers),
        errors=error_tables(numbers),
        kinds=KINDS | SPECIAL,
        confusions=confusion_tables(numbers),
        calibration=calibration_table(numbers),
        pair=(results.arms.index(first.home), results.arms.index(first.other)) if first else (0, 0),
    )


@dataclass(frozen=True)
class WhereSection:
    """What it prints besides its charts: the main probe at the main size, debiased CKA."""

    network: LayerMap
    """Of the first arm whose layers are compared."""
    blocks: Sequence[Block]
    parts: Sequence[PartRow]
    seeds: Sequence[SeedRow]
    rules: Sequence[str]
    """By which layers were said to differ, in words."""
    untrained: Sequence[UntrainedRow]
    pairs: tuple[int, int]
    """Pairs of arms that the page draws, and all."""


def where_section(findings: Findings) -> WhereSection:
    """From the findings of a run."""
    rules, results = {row.rule for row in findings.seed_rows}, findings.results
    network = results.layer_map(next(iter(results.recorded_arms), next(iter(results.experiment.arms))))
    return WhereSection(
        network=network,
        blocks=network.blocks,
        parts=findings.part_rows,
        seeds=findings.seed_rows,
        rules=[text for rule, text in RULES.items() if rule in rules],
        untrained=findings.untrained_rows,
        pairs=(len(shown_pairs(results)), len(results.pairs)),
    )


@dataclass(frozen=True)
class FolderMaterial:
    """What the sections on pictures and data show of the run folder's own files."""

    galleries: Sequence[Gallery]
    domain_figures: Mapping[str, str]
    """By name, as data URIs."""
    samples: Mapping[str, Sequence[Picture]]
    """Training images by domain."""


def material(findings: Findings) -> FolderMaterial:
    """Images, and figures of the domains.

    Raises:
        InputError: If a file of the run folder, or an image, is broken.
    """
    results = findings.results
    return FolderMaterial(
        galleries=galleries(results),
        domain_figures={name: as_data_uri(figure) for name, figure in domain_figures(results).items()},
        samples={domain: sample_pictures(results, domain) for domain in results.experiment.domains},
    )
