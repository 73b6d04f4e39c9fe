"""Many comparisons of few networks: what was made of a recording for one is there for the next."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gapscope.recording.recording import Recording, read_recording
from gapscope.similarity.groups import Groups
from gapscope.similarity.prepared import Views, views_of

USUAL_LIMIT = 2**30
LARGE, SELDOM = 8, 4
"""While no network takes an eighth of the limit, it is held to it every fourth time: adding up takes milliseconds."""


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
        self.asked, self.largest = 0, limit

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
            self.asked += 1
            if self.largest > self.limit // LARGE or self.asked % SELDOM == 0:
                self._keep_to_limit()
        return held.views[key]

    def _keep_to_limit(self) -> None:
        sizes = {at: one.size() for at, one in self.held.items()}
        self.largest = max(sizes.values())
        while len(self.held) > 2 and sum(sizes.values()) > self.limit:
            del sizes[self.held.popitem(last=False)[0]]


def ready_views(ready: Ready | None, recording: Recording, groups: Groups | None) -> Views:
    """The views of a recording, from those at hand if there are some."""
    return views_of(recording, groups=groups) if ready is None else ready.views(recording, groups)


def _arrays(value: Any) -> Iterator["np.ndarray[Any, Any]"]:
    """The arrays in lists, mappings and objects of ours, in each other; of a part of an array the whole."""
    waiting, met = [value], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, np.ndarray):
            yield one if one.base is None or not isinstance(one.base, np.ndarray) else one.base
        elif id(one) not in met:  # as groups are, which all layers share
            met.add(id(one))
            waiting.extend(_parts(one))


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return list(value.values())
    ours = type(value).__module__.startswith("gapscope.") and hasattr(value, "__dict__")
    return list(vars(value).values()) if ours else ()
