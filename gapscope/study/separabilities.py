"""The compare stage: a network's recording over two domains together -> how well its layers tell them apart."""

from collections.abc import Mapping, Sequence

import xarray as xr

from gapscope.config import Similarity
from gapscope.recording.recording import Recording
from gapscope.similarity.separability import separability

FEWEST = 2
"""Groups of a domain that whole groups can be shuffled with."""


def in_domain(domain: str, name: str) -> str:
    """What an image, or a group, is called beside those of another domain."""
    return f"{domain}/{name}"


def separability_of(recording: Recording, groups: Mapping[str, Sequence[str]], plan: Similarity) -> xr.Dataset:
    """What `separability` says of two domains, with the draws of the plan.

    Where images have groups (drives, sequences), whole groups are shuffled and neighbours are of other groups. Where
    they have, but one domain's images are of a single group, that cannot be done: images are shuffled one by one, and
    `not_grouped` says why that flatters the layers.

    Args:
        recording: One domain's images, then the other's.
        groups: Of each domain's images, in that order, their groups; "" where unknown.
        plan: How many shuffles and halves.
    """
    domains = [name for name, members in groups.items() for _ in members]
    named = [
        in_domain(domain, f"group {group}" if group else f"image {at}")
        for domain, members in groups.items()
        for at, group in enumerate(members)
    ]
    counts = {name: len({one for one, domain in zip(named, domains, strict=True) if domain == name}) for name in groups}
    few = next((name for name, count in counts.items() if count < FEWEST), None)
    known = any(group for members in groups.values() for group in members)
    found = separability(
        recording,
        domains,
        groups=named if known and few is None else None,
        shuffles=plan.permutations,
        bootstraps=plan.bootstraps,
    )
    if few is None:
        return found
    return found.assign_attrs(
        not_grouped=f"all images of {few} are of one group, so images are shuffled one by one: what tells that group "
        "from others seems to tell the domains apart"
    )
