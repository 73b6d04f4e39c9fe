"""Many comparisons of few networks: what was made of a recording for one is there for the next."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gapscope.recording.recording import Recording, read_recording
from gapscope.similarity.groups import Groups
from gapscope.similarity.prepared import Views, views_of

USUAL_LIMIT = 2**30


@dataclass
class _Held:
    recording: Recording
    file: tuple[Path, int] | None
    views: dict[bytes | None, Views] = field(default_factory=dict)

    def size(self) -> int:
        """Bytes of all arrays, each counted once."""
        arrays = {id(one): one.nbytes for one in _arrays([self.recording.gram, self.recording.pooled, self.views])}
        return sum(arrays.values())


class Ready:
    """Recordings, and all that was made of them to compare them; those used last are kept.

    Nothing is looked up by values: a recording that is held here must not be changed.

    Args:
        limit: Bytes that they may take together; the two used last stay whatever they take.
    """

    def __init__(self, limit: int = USUAL_LIMIT) -> None:
        self.limit = limit
        self.held: OrderedDict[int, _Held] = OrderedDict()
        self.lock = Lock()

    def read(self, path: Path) -> Recording:
        """The recording in a file, read once as long as the file does not change.

        Raises:
            InputError: It is missing, broken or something else.
        """
        file = path, path.stat().st_mtime_ns
        with self.lock:
            for one in self.held.values():
                if one.file == file:
                    self.held.move_to_end(id(one.recording))
                    return one.recording
        recording = read_recording(path)
        with self.lock:
            self.held[id(recording)] = _Held(recording, file)
        return recording

    def views(self, recording: Recording, groups: Groups | None) -> Views:
        """`views_of` the recording."""
        key = None if groups is None else groups.number.tobytes()
        with self.lock:
            held = self.held.setdefault(id(recording), _Held(recording, None))
            self.held.move_to_end(id(recording))
            if key not in held.views:
                held.views[key] = views_of(recording, groups=groups)
            sizes = {at: one.size() for at, one in self.held.items()}
            while len(self.held) > 2 and sum(sizes.values()) > self.limit:
                del sizes[self.held.popitem(last=False)[0]]
        return held.views[key]


def ready_views(ready: Ready | None, recording: Recording, groups: Groups | None) -> Views:
    """The views of a recording, from those at hand if there are some."""
    return views_of(recording, groups=groups) if ready is None else ready.views(recording, groups)


def _arrays(value: Any) -> Iterator["np.ndarray[Any, Any]"]:
    """The arrays in lists, mappings and objects of ours, in each other; of a part of an array the whole."""
    if isinstance(value, np.ndarray):
        yield value if value.base is None or not isinstance(value.base, np.ndarray) else value.base
    elif isinstance(value, dict):
        for one in list(value.values()):
            yield from _arrays(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _arrays(one)
    elif type(value).__module__.startswith("gapscope.") and hasattr(value, "__dict__"):
        yield from _arrays(vars(value))
