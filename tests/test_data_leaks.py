"""Leaks: what a held-out split shares with training is found, and the authors' own lists are an example."""

import numpy as np
import pytest
from PIL import Image
from small_data import noise, table_of

from gapscope.data.image_hashes import difference_hash, nearest_hashes
from gapscope.data.leak_shares import SplitImages, leak_advice, overlaps
from gapscope.data.leaks import find_leaks, groups_from_names, with_groups
from gapscope.data.splits import SPLITS, group_split, random_split, read_list
from gapscope.errors import InputError

pytestmark = pytest.mark.slow


def parts(train=(), val=(), test=()):
    return {name: np.array(part, dtype=np.int64) for name, part in zip(SPLITS, (train, val, test), strict=True)}


def bits_apart(a, b):
    return nearest_hashes(difference_hash(a)[None], difference_hash(b)[None])[0][0]


def test_a_copy_in_other_size_brightness_and_compression_has_nearly_the_same_hash(tmp_path):
    original = noise(tmp_path / "a.png", size=(320, 240), seed=1)
    with Image.open(original) as image:
        image.resize((200, 150)).point(lambda value: value * 0.8).save(tmp_path / "b.jpg", quality=50)
    assert bits_apart(original, tmp_path / "b.jpg") <= 10
    assert bits_apart(original, noise(tmp_path / "c.png", size=(320, 240), seed=2)) > 60


def test_a_mirror_image_is_far_away_and_the_same_file_is_not(tmp_path):
    original = noise(tmp_path / "a.png", seed=1)
    with Image.open(original) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    assert bits_apart(original, original) == 0
    assert bits_apart(original, tmp_path / "b.png") > 60


def test_the_nearest_hash_is_the_one_found_bit_by_bit():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2**63, (n, 4), dtype=np.uint64) for n in (7, 9))
    expected = [[sum(int(x ^ y).bit_count() for x, y in zip(p, q, strict=True)) for q in b] for p in a]
    bits, nearest = nearest_hashes(a, b)
    assert bits.tolist() == [min(row) for row in expected]
    assert nearest.tolist() == [row.index(min(row)) for row in expected]


def test_more_hashes_than_one_tile_holds_are_all_looked_at_and_of_equals_the_first_counts():
    rng = np.random.default_rng(0)
    earlier = rng.integers(0, 2**63, (2 * 4096 + 7, 4), dtype=np.uint64)
    wanted = np.array([0, 4095, 4096, 8191, 8192, 8198, *range(5000, 5100)])
    earlier[8190] = earlier[100]
    held_out = np.concatenate([earlier[wanted], earlier[[8190]], np.full((1, 4), 2**64 - 1, dtype=np.uint64)])
    bits, nearest = nearest_hashes(held_out, earlier)
    assert nearest[:-1].tolist() == [*wanted, 100] and bits[:-1].max() == 0
    ones = np.bitwise_count(earlier).sum(axis=1, dtype=int)
    assert (bits[-1], nearest[-1]) == (256 - ones.max(), ones.argmax())


def test_opposite_hashes_are_256_bits_apart():
    zeros, ones = np.zeros((1, 4), np.uint64), np.full((1, 4), 2**64 - 1, np.uint64)
    assert nearest_hashes(zeros, ones)[0] == [256]


def test_near_duplicates_across_splits_are_counted_and_named(tmp_path):
    for i, seed in enumerate([0, 1, 2, 3, 0, 3]):
        noise(tmp_path / f"images/{i:03}.png", seed=seed)
    table = table_of([[]] * 6, root=tmp_path)
    leaks = find_leaks(table, parts(train=[0, 1], val=[2, 3], test=[4, 5]))
    assert (leaks.near_duplicates, leaks.adjacent_frames, leaks.shared_groups, leaks.found) == (2, 0, 0, True)
    assert leaks.examples == [("images/004.png", "images/000.png"), ("images/005.png", "images/003.png")]
    assert find_leaks(table, parts(train=[0, 4], val=[3, 5], test=[1, 2])).found is False
    assert find_leaks(table, parts(train=[0, 1], test=[4]), max_examples=0).examples == []


def test_neighbouring_frames_across_splits_are_found_by_name():
    paths = ["a/001_00010.png", "a/001_00011.png", "a/001_00013.png", "a/002_00012.png", "b/001_00012.png"]
    table = table_of([[]] * 5, paths=paths)
    splits = parts(train=[0, 3, 4], val=[], test=[1, 2])
    leaks = find_leaks(table, splits, pixels=False)
    assert (leaks.adjacent_frames, leaks.examples) == (1, [(paths[1], paths[0])])
    assert find_leaks(table, splits, pixels=False, frame_distance=3).adjacent_frames == 2


def test_numbers_are_frames_only_inside_a_group():
    paths = [f"img{i}.png" for i in range(4)]
    alone = table_of([[]] * 4, paths=paths)
    assert find_leaks(alone, parts(train=[0, 2], test=[1, 3]), pixels=False).adjacent_frames == 0
    grouped = with_groups(alone, ["a", "a", "a", "b"])
    leaks = find_leaks(grouped, parts(train=[0, 2], test=[1, 3]), pixels=False)
    assert (leaks.adjacent_frames, leaks.shared_groups) == (1, 1)


def test_a_split_by_group_shares_none_and_a_random_one_does():
    groups = np.repeat([f"{i:03}" for i in range(10)], 10)
    paths = [f"{group}_{i % 10 + 1:05}.png" for i, group in enumerate(groups)]
    table = table_of([[]] * 100, paths=paths, groups=groups)
    assert not find_leaks(table, group_split(groups), pixels=False).found
    leaks = find_leaks(table, random_split(100), pixels=False)
    assert leaks.shared_groups == 10
    assert leaks.adjacent_frames > 20
    assert len(leaks.examples) == 10


def test_nothing_leaks_from_or_into_nothing():
    assert not find_leaks(table_of([]), parts()).found
    assert not find_leaks(table_of([[]], groups=["a"]), parts(test=[0]), pixels=False).found


def test_groups_are_read_from_names():
    names = ["x/012_00001.png", "0a1b2c3d-99887766.jpg", "photo 7.jpg"]
    assert groups_from_names(names) == ["012", "0a1b2c3d", ""]
    assert groups_from_names(["Town05_001920.jpg", "street.jpg"], r"^(Town\d+)_") == ["Town05", ""]
    assert groups_from_names(["Pias--139-_jpg.rf.34.jpg"], r"^[A-Za-z]+") == ["Pias"]
    with pytest.raises(InputError, match=r"group pattern '\(' is no regular expression"):
        groups_from_names(names, "(")


def test_deep_and_palette_images_have_hashes_like_their_plain_twins(tmp_path):
    with Image.open(noise(tmp_path / "a.png", mode="L")) as image:
        grey = np.asarray(image)
    Image.fromarray(grey.astype(np.uint16) << 8).save(tmp_path / "deep.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png", transparency=b"\x00" * 256)
    plain = difference_hash(tmp_path / "a.png")
    assert plain.any()
    for name in ("deep", "palette"):
        assert np.bitwise_count(plain ^ difference_hash(tmp_path / f"{name}.png")).sum() <= 3, name


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png cannot be read as an image"):
        difference_hash(tmp_path / "a.png")


@pytest.mark.slow
def test_the_authors_lists_leak_as_much_as_was_counted_elsewhere(shared_data):
    lists = {
        f"{name}_{part}": read_list(shared_data / f"paper_splits/{name}_{part}.txt")
        for name in ("gtav", "bdd100k")
        for part in ("train", "valid", "test")
    }
    sizes = {name: len(names) for name, names in lists.items()}
    assert list(sizes.values()) == [80_458, 26_819, 26_820, 48_000, 16_000, 16_000]
    parts = {name: SplitImages(np.array(names), np.array(groups_from_names(names))) for name, names in lists.items()}

    def shared(held_out, train, key, distance=1):
        (found,) = overlaps({"train": parts[train], "test": parts[held_out]}, frame_distance=distance)
        return found.share(key)

    near = [shared("gtav_test", "gtav_train", "next_frame", distance) for distance in (1, 2, 5)]
    assert near == pytest.approx([0.839, 0.974, 0.9998], abs=5e-4)
    assert shared("bdd100k_test", "bdd100k_train", "same_group") == 7_741 / 16_000
    assert shared("bdd100k_valid", "bdd100k_train", "same_group") == 7_759 / 16_000


def test_frames_of_two_videos_are_no_neighbours_even_where_each_split_has_one_video_only():
    parts = {
        "train": SplitImages(np.array(["001_00005.jpg"]), np.array([""])),
        "test": SplitImages(np.array(["002_00006.jpg"]), np.array([""])),
    }
    assert overlaps(parts)[0].counts["next_frame"] == 0
    parts["test"] = SplitImages(np.array(["001_00006.jpg", "001_00007.jpg"]), np.array(["", ""]))
    assert overlaps(parts)[0].counts == {"same_name": 0, "next_frame": 1}
    assert overlaps(parts)[0].examples == {"next_frame": ("001_00006.jpg", "001_00005.jpg")}


def test_an_image_on_two_lists_is_the_first_thing_to_mend():
    parts = {
        "train": SplitImages(np.array(["a.jpg", "b.jpg"]), np.array(["", ""])),
        "test": SplitImages(np.array(["b.jpg"]), np.array([""])),
    }
    assert overlaps(parts)[0].counts["same_name"] == 1
    assert leak_advice(overlaps(parts)).startswith("Take every image off all lists but one")
    with pytest.raises(InputError, match=r"split test: b\.jpg is listed 2 times"):
        overlaps({"test": SplitImages(np.array(["b.jpg", "b.jpg"]), np.array(["", ""]))})


@pytest.mark.slow
def test_the_staged_real_and_simulated_test_sets_are_new_to_training(shared_data):
    from gapscope.data.readers.detect import read_annotations
    from gapscope.data.splits import split_from_folders

    for name, test in (("real_road_vehicles_bd", "val"), ("synth_carla_danielhfnr", "test")):
        table = read_annotations(shared_data / name)
        splits = split_from_folders(table, {"train": "train", "test": test})
        assert find_leaks(table, splits).near_duplicates == 0
