"""Train one detector on real and on synthetic images, and see where inside the network the difference lives."""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope import plot as plot
    from gapscope.data.readers.detect import read_annotations as read_annotations
    from gapscope.detector.cfg_plan import read_cfg as read_cfg
    from gapscope.detector.decode import detect as detect
    from gapscope.detector.network import darknet as darknet, yolov3 as yolov3
    from gapscope.detector.weights import load_weights as load_weights
    from gapscope.errors import InputError as InputError
    from gapscope.evaluation.by_hand import score_network
    from gapscope.experiment_file import read_config as read_config
    from gapscope.findings.findings import tables_of
    from gapscope.findings.run_reader import read_results as read_results
    from gapscope.grafting.batch_statistics import estimate_statistics as estimate_statistics
    from gapscope.grafting.graft import graft as graft
    from gapscope.grafting.result import read_grafts as read_grafts
    from gapscope.grafting.score_stitches import score_stitches as score_stitches
    from gapscope.grafting.stitch import stitch as stitch
    from gapscope.grafting.stitch_result import read_stitches as read_stitches
    from gapscope.grafting.where import graft_blocks as graft_blocks
    from gapscope.paper.paper_output import write_paper_output
    from gapscope.recording.object_boxes import ObjectBoxes as ObjectBoxes, object_boxes as object_boxes
    from gapscope.recording.record import record as record
    from gapscope.recording.record_objects import record_objects as record_objects
    from gapscope.recording.recording import read_recording as read_recording
    from gapscope.several.report import write_report
    from gapscope.similarity.all_pairs import compare_all as compare_all
    from gapscope.similarity.blocks import find_blocks as find_blocks
    from gapscope.similarity.cka import (
        cka_from_grams as cka_from_grams,
        deconfounded_cka as deconfounded_cka,
        linear_cka as linear_cka,
        rbf_cka as rbf_cka,
    )
    from gapscope.similarity.compare import compare as compare
    from gapscope.similarity.influence import leave_one_out as leave_one_out
    from gapscope.similarity.layer_summary import layer_summary as layer_summary
    from gapscope.similarity.measures import measure_layers as measure_layers
    from gapscope.similarity.object_parts import compare_objects as compare_objects, sets_of as sets_of
    from gapscope.similarity.separability import separability as separability
    from gapscope.study.run import run as run
    from gapscope.version import __version__ as __version__

    evaluate = score_network
    tables = tables_of
    report = write_report
    figures = write_paper_output

__all__ = open_room(
    __name__,
    {
        "errors": "InputError",
        "version": "__version__",
        "data.readers.detect": "read_annotations",
        "experiment_file": "read_config",
        "study.run": "run",
        "detector.network": "yolov3, darknet",
        "detector.cfg_plan": "read_cfg",
        "detector.weights": "load_weights",
        "detector.decode": "detect",
        "evaluation.by_hand": "score_network as evaluate",
        "grafting.graft": "graft",
        "grafting.batch_statistics": "estimate_statistics",
        "grafting.where": "graft_blocks",
        "grafting.result": "read_grafts",
        "grafting.stitch": "stitch",
        "grafting.score_stitches": "score_stitches",
        "grafting.stitch_result": "read_stitches",
        "recording.record": "record",
        "recording.object_boxes": "ObjectBoxes, object_boxes",
        "recording.record_objects": "record_objects",
        "recording.recording": "read_recording",
        "similarity.cka": "linear_cka, rbf_cka, deconfounded_cka, cka_from_grams",
        "similarity.measures": "measure_layers",
        "similarity.compare": "compare",
        "similarity.all_pairs": "compare_all",
        "similarity.layer_summary": "layer_summary",
        "similarity.influence": "leave_one_out",
        "similarity.blocks": "find_blocks",
        "similarity.separability": "separability",
        "similarity.object_parts": "compare_objects, sets_of",
        "several.report": "write_report as report",
        "findings.run_reader": "read_results",
        "findings.findings": "tables_of as tables",
        "paper.paper_output": "write_paper_output as figures",
        "": "plot",
    },
)
