"""The summary of a domain: counts that add up, and a fingerprint of what went in."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_data import noise, table_of

from gapscope.data.labels import map_labels
from gapscope.data.leaks import find_leaks
from gapscope.data.splits import random_split
from gapscope.data.statistics import domain_fingerprint, domain_summary, quantiles

BOXES = [[("car", 0, 0, 10, 10), ("van", 0, 0, 20, 10)], [], [("person", 0, 0, 5, 8)], [("van", 1, 1, 2, 2)], []]


def street(tmp_path):
    for i in range(5):
        noise(tmp_path / f"images/{i:03}.png", seed=i)
    return table_of(BOXES, root=tmp_path, ignore=[False, False, False, True])


def test_the_summary_counts_what_is_in_each_split(tmp_path):
    table, counts = map_labels(street(tmp_path), {"car": ["car", "van"], "person": ["person"]})
    table = replace(table, no_area=3)
    splits = {"train": np.array([0, 1]), "val": np.array([2]), "test": np.array([3])}
    summary = domain_summary(
        table,
        splits,
        domain="real",
        role="real",
        labels=counts,
        removed={"min_area": 2, "hood": 1},
        leaks=find_leaks(table, splits),
        split="by hand",
    )
    assert json.loads(json.dumps(summary)) == summary | {"leaks": summary["leaks"] | {"examples": []}}
    assert summary["images"] == {"train": 2, "val": 1, "test": 1}
    assert summary["boxes"]["train"] == {"car": 2, "person": 0}
    assert summary["ignored"] == {"train": 0, "val": 0, "test": 1}
    assert summary["label_map"] == {"car": {"car": 1, "van": 1}, "person": {"person": 1}}
    assert summary["removed"] == {"min_area": 2, "hood": 1, "no_area": 3}
    assert summary["leaks"]["near_duplicates"] == 0
    assert summary["image_size"] == [100, 60]
    assert summary["boxes_per_image"]["max"] == 2
    assert (summary["box_area"]["min"], summary["box_area"]["median"], summary["box_area"]["max"]) == (40, 100, 200)


def test_quantiles_of_nothing_are_none():
    assert quantiles(np.zeros(0)) == {}
    assert quantiles(np.arange(101))["p95"] == pytest.approx(95)


def test_the_fingerprint_follows_boxes_splits_and_files_but_not_the_folder(tmp_path):
    table, splits = street(tmp_path / "a"), random_split(5)
    first = domain_fingerprint(table, splits)
    assert domain_fingerprint(street(tmp_path / "b"), splits) == first
    assert domain_fingerprint(table.keep_boxes(np.array([True, True, True, False])), splits) != first
    assert domain_fingerprint(table, random_split(5, seed=1)) != first
    assert domain_fingerprint(replace(table, groups=np.array(list("abcde"))), splits) != first
    hidden = np.array([True, False, False, False])
    ignored = replace(table, ignore=hidden)
    assert domain_fingerprint(replace(ignored, crowd=hidden), splits) != domain_fingerprint(ignored, splits) != first
    noise(tmp_path / "a/images/002.png", seed=77)
    assert domain_fingerprint(table, splits) != first
