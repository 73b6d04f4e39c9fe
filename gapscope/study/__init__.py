"""The whole study: what it consists of, where it lives, what is done.

Open first: stages.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.study.environment import environment as environment
    from gapscope.study.run import run as run, train_one as train_one
    from gapscope.study.scoring import (
        LabelledFolder as LabelledFolder,
        RunDomain as RunDomain,
        Scored as Scored,
        run_test_images as run_test_images,
        score_weights as score_weights,
    )
    from gapscope.study.scoring_results import score_results as score_results
    from gapscope.study.state import RunState as RunState
    from gapscope.study.status import print_status as print_status
    from gapscope.study.study import Study as Study

__all__ = open_room(
    __name__,
    {
        "study": "Study",
        "run": "run, train_one",
        "scoring_results": "score_results",
        "state": "RunState",
        "status": "print_status",
        "environment": "environment",
        "scoring": "RunDomain, LabelledFolder, Scored, score_weights, run_test_images",
    },
)
