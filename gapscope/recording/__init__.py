"""What every layer of a network makes of the probe images, kept as one Gram matrix per layer.

Open first: record.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.recording.estimate import estimate_seconds as estimate_seconds
    from gapscope.recording.named_models import load_model as load_model
    from gapscope.recording.object_boxes import ObjectBoxes as ObjectBoxes, object_boxes as object_boxes
    from gapscope.recording.objects import Objects as Objects
    from gapscope.recording.probe_images import ProbeImages as ProbeImages
    from gapscope.recording.record import record as record
    from gapscope.recording.record_files import record_files as record_files
    from gapscope.recording.record_objects import record_objects as record_objects
    from gapscope.recording.recording import Recording as Recording, read_recording as read_recording

__all__ = open_room(
    __name__,
    {
        "recording": "Recording, read_recording",
        "probe_images": "ProbeImages",
        "estimate": "estimate_seconds",
        "object_boxes": "ObjectBoxes, object_boxes",
        "objects": "Objects",
        "record": "record",
        "record_objects": "record_objects",
        "named_models": "load_model",
        "record_files": "record_files",
    },
)
