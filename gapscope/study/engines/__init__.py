"""Places that do a study's units of work: Ray, Slurm. An engine is told "do this unit"; the run folder stays the truth.

Open first: engine.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.study.engines.choose import open_engine as open_engine
    from gapscope.study.engines.engine import End as End, Engine as Engine, Job as Job
    from gapscope.study.engines.hand_out import hand_out as hand_out

__all__ = open_room(
    __name__,
    {
        "engine": "Engine, Job, End",
        "choose": "open_engine",
        "hand_out": "hand_out",
    },
)
