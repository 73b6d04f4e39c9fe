"""Splits that come with a data set: folders, data.yaml, lists; taken where all three are there, told where some are."""

import pytest
from small_data import table_of

from gapscope.data.splits_there import auto_split, found_splits

ALL = ("train", "val", "test")


def table(root, *paths):
    return table_of([[("car", 0, 0, 10, 10)] for _ in paths], root=root, paths=paths)


def split_names(table, splits):
    return {split: [str(table.paths[i]) for i in images] for split, images in splits.items()}


HARMFUL = {
    "nested without end": "names: [a]\ntrain: " + "[" * 5000,
    "a name without end": "train: " + "a" * 5000 + "\nval: " + "b/" * 3000,
    "a zero byte": 'train: "a\\0b"\nval: b\n',
    "lists in a key": "? [a, [b]]\n: c\ntrain: d\n",
    "one list a thousand times in itself": "a: &a [x, x]\n" + "".join(f"k{i}: &k{i} [*a, *a]\n" for i in range(30)),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_data_yaml_that_was_made_to_harm_says_nothing_of_splits(tmp_path, kind):
    (tmp_path / "data.yaml").write_text(HARMFUL[kind])
    assert found_splits(table(tmp_path, "a.png", "b.png", "c.png")) == []


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("val", ["val", "valid", "validation", "val2017"])
def test_folders_of_all_three_are_taken_whatever_val_is_called(tmp_path, val):
    found = table(tmp_path, "train/a.jpg", f"{val}/b.jpg", "test/c.jpg", "more/d.jpg")
    splits, how = auto_split(found, (0.6, 0.2, 0.2), 0)
    assert split_names(found, splits) == {"train": ["train/a.jpg"], "val": [f"{val}/b.jpg"], "test": ["test/c.jpg"]}
    assert how == "by the folders train, val and test that are there"


@pytest.mark.parametrize(
    "text",
    [
        "train: day\nval: dusk\ntest: night\n",
        "path: .\ntrain: day/\nval: [dusk]\ntest: ./night\n",
        "train: ../day\nval: ../dusk\ntest: ../night\n",  # as Roboflow writes it, from a folder that is none
        "train: day.txt\nval: dusk.txt\ntest: [night]\n",
    ],
)
def test_a_data_yaml_that_names_all_three_is_taken(tmp_path, text):
    found = table(tmp_path, "day/a.jpg", "dusk/b.jpg", "night/c.jpg")
    touch(tmp_path, *found.paths.tolist())
    (tmp_path / "day.txt").write_text("./day/a.jpg\n")
    (tmp_path / "dusk.txt").write_text("/elsewhere/set/dusk/b.jpg\n")
    (tmp_path / "data.yaml").write_text(f"names: [car]\n{text}")
    splits, how = auto_split(found, (0.6, 0.2, 0.2), 0)
    assert split_names(found, splits) == {"train": ["day/a.jpg"], "val": ["dusk/b.jpg"], "test": ["night/c.jpg"]}
    assert how == "as data.yaml names them"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: day\nval: dusk\n", "; drawn anew, since data.yaml only names train, val"),
        ("train: day\nval: day\ntest: night\n", "; drawn anew, since data.yaml only names train, test"),
        ("train: day\nval: night\ntest: night\n", "; drawn anew, since data.yaml only names train, test"),
        ("train: &a [*a]\nval: {x: y}\n", "seed 0"),
        ("train: [", "seed 0"),
    ],
)
def test_what_a_data_yaml_leaves_open_is_drawn_anew_and_that_is_said(tmp_path, text, said):
    found = table(tmp_path, "day/a.jpg", "day/e.jpg", "dusk/b.jpg", "night/c.jpg", "night/d.jpg")
    touch(tmp_path, *found.paths.tolist())
    (tmp_path / "data.yaml").write_text(text)
    assert auto_split(found, (0.6, 0.2, 0.2), 0)[1].endswith(said)


def test_lists_are_found_and_are_not_taken_unasked(tmp_path):
    found = table(tmp_path, "JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/c.jpg")
    for split, name in zip(ALL, "abc", strict=True):
        touch(tmp_path, f"ImageSets/Main/{split}.txt")
        (tmp_path / f"ImageSets/Main/{split}.txt").write_text(f"{name}\n")
    (one,) = found_splits(found)
    assert (one.kind, one.places["val"], one.are_whole) == ("lists", "ImageSets/Main/val.txt", True)
    assert split_names(found, one.images)["test"] == ["JPEGImages/c.jpg"]
    assert "at random" in auto_split(found, (0.4, 0.3, 0.3), 0)[1]


def test_folders_of_two_splits_have_their_places(tmp_path):
    found = table(tmp_path, "images/train/x/a.jpg", "images/train/b.jpg", "images/val/c.jpg")
    (one,) = found_splits(found)
    assert one.places == {"train": "images/train", "val": "images/val"} and not one.are_whole
