"""Train one detector on real and on synthetic images, and see where inside the network the difference lives."""

from importlib import import_module
from typing import Any

_HOMES = {
    "InputError": "gapscope.errors",
    "read_annotations": "gapscope.data.readers.detect",
    "read_config": "gapscope.experiment_file",
    "run": "gapscope.study.run",
    "yolov3": "gapscope.detector.network",
    "darknet": "gapscope.detector.network",
    "read_cfg": "gapscope.detector.cfg_plan",
    "load_weights": "gapscope.detector.weights",
    "detect": "gapscope.detector.decode",
    "evaluate": "gapscope.evaluation.by_hand",
    "record": "gapscope.recording.record",
    "read_recording": "gapscope.recording.recording",
    "compare": "gapscope.similarity.compare",
    "compare_all": "gapscope.similarity.all_pairs",
    "layer_summary": "gapscope.similarity.layer_summary",
    "leave_one_out": "gapscope.similarity.influence",
    "find_blocks": "gapscope.similarity.blocks",
    "report": "gapscope.page.page",
    "read_results": "gapscope.findings.run_reader",
    "tables": "gapscope.findings.tables",
    "figures": "gapscope.paper.paper_output",
}
"""Public name -> the module that holds it; imported when first used, so that `import gapscope` stays quick."""
_OTHER_NAMES = {
    "report": "write_report",
    "evaluate": "score_network",
    "tables": "all_tables",
    "figures": "write_paper_output",
}
_PARTS = ("plot",)
"""Modules whose functions are called by the module's name: `gapscope.plot.curve`."""

__all__ = [*_HOMES, *_PARTS]


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"gapscope.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'gapscope' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), _OTHER_NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
