"""Splits: disjoint, complete, whole in their groups, and the same every time."""

import numpy as np
import pytest
from small_data import table_of

from gapscope.data.splits import (
    default_split,
    group_split,
    limit_splits,
    random_split,
    read_list,
    split_from_folders,
    split_from_lists,
    take_val_from_train,
    write_list,
)
from gapscope.errors import InputError


def all_of(splits):
    return np.sort(np.concatenate(list(splits.values()))).tolist()


@pytest.mark.parametrize("n", [0, 1, 3, 10, 101])
def test_a_random_split_is_disjoint_and_complete(n):
    splits = random_split(n, seed=3)
    assert all_of(splits) == list(range(n))
    assert [len(part) for part in splits.values()] == pytest.approx([0.6 * n, 0.2 * n, 0.2 * n], abs=1)


def test_a_split_depends_on_its_seed_alone():
    same, again, other = random_split(50, seed=1), random_split(50, seed=1), random_split(50, seed=2)
    assert all(np.array_equal(same[name], again[name]) for name in same)
    assert not np.array_equal(same["test"], other["test"])


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_the_shares_come_near(seed):
    sizes = np.random.default_rng(seed).integers(1, 9, 40)
    groups = np.repeat([f"drive {i}" for i in range(40)], sizes)
    splits = group_split(groups, seed=seed)
    assert all_of(splits) == list(range(len(groups)))
    homes = [set(groups[part]) for part in splits.values()]
    assert sum(map(len, homes)) == 40
    shares = [len(part) / len(groups) for part in splits.values()]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


def test_no_split_with_a_share_stays_empty():
    assert [len(part) for part in group_split(["a", "b", "c"]).values()] == [1, 1, 1]
    assert [len(part) for part in group_split(["a"] * 7 + ["b"], (0.5, 0.5, 0.0)).values()] == [7, 1, 0]
    with pytest.raises(InputError, match=r"only 2 groups of images for 3 splits"):
        group_split(["a", "a", "b"])


def test_images_without_a_group_stand_alone():
    splits = group_split([""] * 10)
    assert [len(part) for part in splits.values()] == [6, 2, 2]


def test_the_default_keeps_groups_where_they_are_known():
    splits, how = default_split(table_of([[]] * 10, groups=list("aaabbbcccd")))
    assert how.startswith("whole groups")
    assert all_of(splits) == list(range(10))
    assert default_split(table_of([[]] * 10))[1].startswith("single images at random, 60/20/20 %")


def test_folders_give_splits_and_leave_the_rest_out():
    table = table_of([[]] * 4, paths=["train/images/a.jpg", "val/images/a.jpg", "train/images/b.jpg", "training/c.jpg"])
    splits = split_from_folders(table, {"train": "train", "val": "", "test": "val/"})
    assert {name: part.tolist() for name, part in splits.items()} == {"train": [0, 2], "val": [], "test": [1]}
    with pytest.raises(InputError, match=r"split test: no image lies under 'tset'"):
        split_from_folders(table, {"train": "train", "test": "tset"})
    with pytest.raises(InputError, match=r"1 image is in two splits, such as val/images/a.jpg"):
        split_from_folders(table, {"train": "val", "test": "val/images"})


def test_lists_may_name_paths_file_names_or_names_without_suffix():
    table = table_of([[]] * 3, paths=["x/a.jpg", "x/b.png", "y/c.jpg"])
    splits = split_from_lists(table, {"train": ["x/a.jpg"], "val": ["b.jpg"], "test": ["c"]})
    assert {name: part.tolist() for name, part in splits.items()} == {"train": [0], "val": [1], "test": [2]}


def test_lists_that_do_not_fit_are_refused():
    table = table_of([[]] * 3, paths=["x/a.jpg", "x/b.jpg", "y/b.jpg"])
    with pytest.raises(InputError, match=r"split train: 1 of 2 listed images are not in nowhere, such as z.jpg"):
        split_from_lists(table, {"train": ["a", "z.jpg"]})
    assert split_from_lists(table, {"train": ["a", "z.jpg"]}, allow_missing=True)["train"].tolist() == [0]
    with pytest.raises(InputError, match=r"'b\.jpg' fits several images"):
        split_from_lists(table, {"train": ["b.jpg"]})
    with pytest.raises(InputError, match=r"in two splits, such as x/a.jpg"):
        split_from_lists(table, {"train": ["a"], "test": ["x/a.jpg"]})


def test_val_can_be_taken_from_train_in_whole_groups():
    table = table_of([[]] * 12, groups=list("aabbccddeeff"))
    before = {"train": np.arange(2, 12), "val": np.arange(0), "test": np.arange(2)}
    after = take_val_from_train(table, before, 0.2, seed=0)
    assert all_of(after) == list(range(12))
    assert len(after["val"]) == 2
    assert not set(table.groups[after["val"]]) & set(table.groups[after["train"]])


def test_a_limit_takes_a_seeded_part_and_a_larger_limit_contains_a_smaller():
    splits = random_split(100)
    ten, twenty = (limit_splits(splits, {"train": most, "val": None}, seed=4) for most in (10, 20))
    assert len(ten["train"]) == 10
    assert set(ten["train"]) < set(twenty["train"]) < set(splits["train"])
    assert np.array_equal(ten["val"], splits["val"])


def test_fractions_must_add_up_to_one():
    with pytest.raises(InputError, match=r"fractions \[0.6, 0.2, 0.3\] - expected three shares"):
        random_split(10, (0.6, 0.2, 0.3))


def test_a_written_list_is_read_back_without_its_comments(tmp_path):
    write_list(tmp_path / "train.txt", ["a/b c.png", "d.png"], first="# sha256 1234")
    assert read_list(tmp_path / "train.txt") == ["a/b c.png", "d.png"]
    with pytest.raises(InputError, match=r"missing\.txt cannot be read as a list"):
        read_list(tmp_path / "missing.txt")


def test_a_domain_says_how_many_listed_names_have_no_labelled_image(tmp_path):
    from gapscope.config import Domain
    from gapscope.study.domains import split_domain

    table = table_of([[], [], []], root=tmp_path, paths=["a.jpg", "b.jpg", "c.jpg"])
    for name, entries in {"train": "a.jpg\nz.jpg\n", "val": "b.jpg\n", "test": "c.jpg"}.items():
        (tmp_path / f"{name}.txt").write_text(entries)
    lists = {"method": "lists", "train": "train.txt", "val": "val.txt", "test": "test.txt"}
    with pytest.raises(InputError, match="1 of 2 listed images are not in"):
        split_domain(table, Domain(role="real", root="x", split=lists))
    splits, sentence = split_domain(table, Domain(role="real", root="x", split=lists | {"allow_missing": True}))
    assert sentence == "by lists of image names (1 of them without a labelled image)"
    assert [splits[name].tolist() for name in ("train", "val", "test")] == [[0], [1], [2]]
