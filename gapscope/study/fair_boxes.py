"""A data set's own boxes -> those that a study trains on and scores: common labels, filters, no hood."""

from collections.abc import Sequence
from dataclasses import dataclass

from gapscope.config import Data, Domain
from gapscope.data.filters import drop_small, ignore_hard
from gapscope.data.hood import HoodSearch, find_hoods
from gapscope.data.label_maps import LabelMap, fit
from gapscope.data.labels import LabelCounts, map_labels, said_rest
from gapscope.data.table import AnnotationTable


@dataclass(frozen=True, eq=False)
class FairBoxes:
    """The boxes of one domain, and what became of all others."""

    table: AnnotationTable
    labels: LabelCounts
    removed: dict[str, int]
    """Boxes by the filter that took them out or, for the keys `max_...`, made them ignore regions."""
    hoods: HoodSearch | None
    """None if hoods were not looked for."""
    notes: tuple[str, ...]
    """What the reader and the named label map have to say."""


def fair_boxes(table: AnnotationTable, domain: Domain, data: Data) -> FairBoxes:
    """Map the labels, take out the hood (before a filter can hide it), and filter as the experiment file says.

    Raises:
        InputError: The label map does not fit the data set, or a filter needs what its labels do not state.
    """
    plan = label_plan(domain, data.classes, table.class_names)
    mapped, counts = map_labels(table, plan.labels, plan.drop, plan.ignore, data.classes)
    hoods = find_hoods(mapped, keep=domain.keep_hood) if domain.remove_hood else None
    left, small = drop_small(hoods.without() if hoods else mapped, domain.min_area, domain.min_area_at, data.image_size)
    limits = {name: getattr(domain, name) for name in ("max_aspect", "max_truncation", "max_occlusion")}
    left, hard = ignore_hard(left, **limits)
    removed = {"min_area": small, **hard, "hood": int(hoods.removed.sum()) if hoods else 0}
    about = f"Label map {domain.label_map}: {plan.about}" if domain.label_map else ""
    rest = said_rest(counts.dropped, domain.drop) if not domain.label_map else said_rest(counts.dropped, plan.drop)
    return FairBoxes(left, counts, removed, hoods, tuple(filter(None, (*table.notes, about, rest))))


def label_plan(domain: Domain, classes: Sequence[str], present: Sequence[str]) -> LabelMap:
    """What becomes of every name of the data set: as the domain says, else as its named map, else as it is called."""
    labels = {label: tuple(sources) for label, sources in domain.labels.items()}
    own = LabelMap(labels, tuple(domain.drop), tuple(domain.ignore))
    if domain.label_map:
        return fit(domain.label_map, own, classes, present)
    same = {label: (label,) for label in classes if label in present}
    return LabelMap(labels or same, own.drop, own.ignore)
