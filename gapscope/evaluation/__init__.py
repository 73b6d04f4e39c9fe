"""Network + images with boxes -> detections -> average precision, intervals and kinds of mistakes.

Open first: evaluate.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.evaluation.average_precision import (
        AveragePrecision as AveragePrecision,
        coco_average_precision as coco_average_precision,
        paper_average_precision as paper_average_precision,
    )
    from gapscope.evaluation.bootstrap import bootstrap as bootstrap, interval as interval
    from gapscope.evaluation.by_hand import score_network as score_network
    from gapscope.evaluation.calibration import Calibration as Calibration, calibration as calibration
    from gapscope.evaluation.columns import Boxes as Boxes
    from gapscope.evaluation.confusion import confusion_matrix as confusion_matrix
    from gapscope.evaluation.detection_files import (
        read_detections as read_detections,
        save_detections as save_detections,
    )
    from gapscope.evaluation.error_kinds import error_kinds as error_kinds
    from gapscope.evaluation.evaluate import Evaluation as Evaluation, evaluate as evaluate
    from gapscope.evaluation.labelled import labelled_folder as labelled_folder
    from gapscope.evaluation.matching import (
        Matches as Matches,
        coco_candidates as coco_candidates,
        match_coco as match_coco,
        match_paper as match_paper,
    )
    from gapscope.evaluation.merging import merge_classes as merge_classes
    from gapscope.evaluation.scores import scores as scores
    from gapscope.evaluation.shown import Scores as Scores

__all__ = open_room(
    __name__,
    {
        "columns": "Boxes",
        "matching": "Matches, coco_candidates, match_coco, match_paper",
        "average_precision": "AveragePrecision, coco_average_precision, paper_average_precision",
        "confusion": "confusion_matrix",
        "calibration": "Calibration, calibration",
        "error_kinds": "error_kinds",
        "bootstrap": "bootstrap, interval",
        "merging": "merge_classes",
        "evaluate": "Evaluation, evaluate",
        "detection_files": "save_detections, read_detections",
        "scores": "scores",
        "shown": "Scores",
        "labelled": "labelled_folder",
        "by_hand": "score_network",
    },
)
