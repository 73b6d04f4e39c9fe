"""Where can a network be cut in two, and which tensors cross the cut?"""

from collections.abc import Sequence

from gapscope.detector.layers import check_range
from gapscope.detector.network import Darknet
from gapscope.detector.network_map import darknet_map
from gapscope.detector.stack import IMAGE, Layer
from gapscope.errors import InputError


def crossing(table: Sequence[Layer], cut: int) -> tuple[int, ...]:
    """The layers up to and with `cut` that a later layer reads, rising: what a front has to hand to a back."""
    return tuple(sorted({i for layer in table[cut + 1 :] for i in layer.inputs if i <= cut}))


def usual_cuts(network: Darknet) -> tuple[int, ...]:
    """Cuts where one tensor crosses; those right behind a layer that a later route reads; the ends of blocks.

    Behind a layer that a route reads, that tensor crosses twice or beside others: each is stitched by itself.
    """
    table = network.table
    last = len(table) - 1
    single = {cut for cut in range(last) if crossing(table, cut) == (cut,)}
    routes = {i for layer in table if layer.kind == "route" for i in layer.inputs if IMAGE < i < layer.index - 1}
    named = darknet_map(network.plan).blocks if network.yolo_layers else ()
    blocks = {block.last for block in named if block.last < last}
    return tuple(sorted(cut for cut in single | routes | blocks if IMAGE not in crossing(table, cut)))


def checked_cuts(network: Darknet, cuts: Sequence[int] | None) -> tuple[int, ...]:
    """The cuts that are meant, rising.

    Raises:
        InputError: The network has no such layer, nothing comes behind it, or the image itself would cross.
    """
    if cuts is None:
        return usual_cuts(network)
    if not cuts:
        raise InputError("no cut is named. Give indices of layers, or leave cuts out for the usual ones.")
    last = len(network.table) - 1
    check_range(min(cuts), max(cuts), last + 1)
    for cut in cuts:
        found = crossing(network.table, cut)
        if not found or IMAGE in found:
            what = "nothing" if not found else "the image itself"
            raise InputError(
                f"{what} crosses a cut behind layer {cut} of {network.plan.name} - expected activations that a later "
                f"layer reads. Cut elsewhere from 0 to {last - 1}."
            )
    return tuple(sorted(set(cuts)))
