"""Train one detector on real and on synthetic images, and see where inside the network the difference lives."""

from importlib import import_module
from typing import Any

_HOMES = {
    "InputError": "gapscope.errors",
    "read_config": "gapscope.experiment_file",
    "run": "gapscope.study.run",
    "yolov3": "gapscope.detector.network",
    "darknet": "gapscope.detector.network",
    "read_cfg": "gapscope.detector.cfg_plan",
    "load_weights": "gapscope.detector.weights",
    "detect": "gapscope.detector.decode",
    "record": "gapscope.recording.record",
    "read_recording": "gapscope.recording.recording",
    "compare": "gapscope.similarity.compare",
    "report": "gapscope.reporting.page",
}
"""Public name -> the module that holds it; imported when first used, so that `import gapscope` stays quick."""
_OTHER_NAMES = {"report": "write_report"}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gapscope' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), _OTHER_NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
