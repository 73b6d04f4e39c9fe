"""What may be said of a run: gaps, curves, differences, tables, a verdict. It knows nothing of how it is shown.

`read_results` gathers what a run folder holds, `find` computes all that may be said of it, once; page/, paper/,
several/ and watching/ print and draw that.

Open first: findings.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.findings.advice import Advice as Advice
    from gapscope.findings.arm_numbers import ArmNumbers as ArmNumbers
    from gapscope.findings.confounds import Confound as Confound
    from gapscope.findings.domain_facts import DomainFacts as DomainFacts
    from gapscope.findings.domain_file import DomainSummary as DomainSummary
    from gapscope.findings.environment_file import RunEnvironment as RunEnvironment
    from gapscope.findings.estimates import BySeed as BySeed, Estimate as Estimate
    from gapscope.findings.evaluation_file import EvaluationFile as EvaluationFile
    from gapscope.findings.findings import Findings as Findings, find as find, tables_of as tables_of
    from gapscope.findings.gap_parts import GapParts as GapParts
    from gapscope.findings.gaps import Gap as Gap
    from gapscope.findings.grafts import (
        GraftedPair as GraftedPair,
        GraftedPart as GraftedPart,
        GraftFindings as GraftFindings,
    )
    from gapscope.findings.headline import ArmScore as ArmScore, HeadlineScores as HeadlineScores
    from gapscope.findings.judged import Judged as Judged, judge as judge
    from gapscope.findings.layer_blocks import BlockRow as BlockRow
    from gapscope.findings.layer_curves import PairCurve as PairCurve
    from gapscope.findings.layer_differences import LayerDifference as LayerDifference
    from gapscope.findings.layer_findings import LayerFindings as LayerFindings, layer_findings as layer_findings
    from gapscope.findings.result_tables import ResultTable as ResultTable
    from gapscope.findings.results import Grids as Grids, Results as Results, Seen as Seen
    from gapscope.findings.run_numbers import RunNumbers as RunNumbers, run_numbers as run_numbers
    from gapscope.findings.run_reader import read_results as read_results
    from gapscope.findings.three_curves import ThreeCurves as ThreeCurves
    from gapscope.findings.training_files import TrainingRecord as TrainingRecord, TrainingSummary as TrainingSummary
    from gapscope.findings.training_rows import TrainingRow as TrainingRow

__all__ = open_room(
    __name__,
    {
        "run_reader": "read_results",
        "results": "Results, Seen, Grids",
        "evaluation_file": "EvaluationFile",
        "domain_file": "DomainSummary",
        "training_files": "TrainingRecord, TrainingSummary",
        "environment_file": "RunEnvironment",
        "findings": "Findings, find, tables_of",
        "run_numbers": "RunNumbers, run_numbers",
        "estimates": "Estimate, BySeed",
        "headline": "HeadlineScores, ArmScore",
        "gaps": "Gap",
        "gap_parts": "GapParts",
        "arm_numbers": "ArmNumbers",
        "layer_findings": "LayerFindings, layer_findings",
        "layer_curves": "PairCurve",
        "layer_differences": "LayerDifference",
        "layer_blocks": "BlockRow",
        "grafts": "GraftFindings, GraftedPair, GraftedPart",
        "three_curves": "ThreeCurves",
        "result_tables": "ResultTable",
        "advice": "Advice",
        "confounds": "Confound",
        "domain_facts": "DomainFacts",
        "training_rows": "TrainingRow",
        "judged": "Judged, judge",
    },
)
