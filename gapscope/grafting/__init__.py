"""Where does the loss sit? Layers of one network put into another, and what that does to detection.

Open first: where.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.grafting.batch_statistics import estimate_statistics as estimate_statistics
    from gapscope.grafting.cost import Cost as Cost, graft_cost as graft_cost
    from gapscope.grafting.graft import graft as graft
    from gapscope.grafting.layer_names import layers_named as layers_named, network_blocks as network_blocks
    from gapscope.grafting.question import Question as Question, question as question
    from gapscope.grafting.result import GraftResult as GraftResult, read_grafts as read_grafts
    from gapscope.grafting.score_stitches import score_stitches as score_stitches
    from gapscope.grafting.shares import Shares as Shares, shapley as shapley
    from gapscope.grafting.stitch import Stitches as Stitches, stitch as stitch
    from gapscope.grafting.stitch_result import StitchResult as StitchResult, read_stitches as read_stitches
    from gapscope.grafting.stitched import Stitch as Stitch, Stitched as Stitched
    from gapscope.grafting.where import graft_blocks as graft_blocks, score_question as score_question

__all__ = open_room(
    __name__,
    {
        "layer_names": "layers_named, network_blocks",
        "graft": "graft",
        "batch_statistics": "estimate_statistics",
        "shares": "Shares, shapley",
        "question": "Question, question",
        "result": "GraftResult, read_grafts",
        "where": "graft_blocks, score_question",
        "cost": "Cost, graft_cost",
        "stitched": "Stitch, Stitched",
        "stitch": "Stitches, stitch",
        "stitch_result": "StitchResult, read_stitches",
        "score_stitches": "score_stitches",
    },
)
