"""Images with boxes: read, mapped, filtered, split, checked for leaks, and served as batches.

Open first: table.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.data.augment import Augmentation as Augmentation
    from gapscope.data.batches import Batch as Batch, batches as batches
    from gapscope.data.check import check_folder as check_folder
    from gapscope.data.convert import convert as convert
    from gapscope.data.distributions import distributions as distributions
    from gapscope.data.filters import drop_small as drop_small, ignore_hard as ignore_hard
    from gapscope.data.hood import find_hoods as find_hoods
    from gapscope.data.image_cache import ImageCache as ImageCache
    from gapscope.data.image_hashes import difference_hash as difference_hash
    from gapscope.data.images import find_images as find_images, read_pixels as read_pixels, read_size as read_size
    from gapscope.data.label_maps import (
        LabelMap as LabelMap,
        label_map as label_map,
        named_label_maps as named_label_maps,
    )
    from gapscope.data.labels import LabelCounts as LabelCounts, map_labels as map_labels
    from gapscope.data.leaks import find_leaks as find_leaks
    from gapscope.data.problems import Problem as Problem, Problems as Problems
    from gapscope.data.samples import Samples as Samples
    from gapscope.data.sheet import sheet as sheet
    from gapscope.data.splits import (
        default_split as default_split,
        group_split as group_split,
        random_split as random_split,
        split_from_folders as split_from_folders,
        split_from_lists as split_from_lists,
    )
    from gapscope.data.statistics import domain_summary as domain_summary
    from gapscope.data.table import AnnotationTable as AnnotationTable

__all__ = open_room(
    __name__,
    {
        "table": "AnnotationTable",
        "problems": "Problem, Problems",
        "images": "find_images, read_size, read_pixels",
        "check": "check_folder",
        "convert": "convert",
        "sheet": "sheet",
        "filters": "drop_small, ignore_hard",
        "hood": "find_hoods",
        "labels": "LabelCounts, map_labels",
        "label_maps": "LabelMap, label_map, named_label_maps",
        "splits": "random_split, group_split, default_split, split_from_folders, split_from_lists",
        "image_hashes": "difference_hash",
        "leaks": "find_leaks",
        "distributions": "distributions",
        "statistics": "domain_summary",
        "samples": "Samples",
        "image_cache": "ImageCache",
        "augment": "Augmentation",
        "batches": "Batch, batches",
    },
)
