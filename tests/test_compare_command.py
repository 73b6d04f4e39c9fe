"""gapscope compare: what it prints, what it writes, what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command import gapscope
from small_recordings import features, recorded, two_networks

from gapscope.similarity.compare import read_similarity

pytestmark = pytest.mark.slow


@pytest.fixture
def two_files(tmp_path):
    a, b = two_networks(110)
    a.save(tmp_path / "a.nc")
    b.save(tmp_path / "b.nc")
    return tmp_path


def test_it_prints_means_and_extreme_layers_and_writes_the_grid(two_files):
    done = gapscope("compare", "a.nc", "b.nc", "-o", "grid.nc", cwd=two_files)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    grid = read_similarity(two_files / "grid.nc")
    values = np.diagonal(grid["value"].sel(measure="cka_debiased"))
    assert lines[0] == f"CKA (debiased): all {values.mean():.4f}"
    assert lines[1].startswith(f"  most alike: layers 0 ({values[0]:.3f})") and "least: 2 (" in lines[1]
    assert lines[2].startswith("CKA (biased, as in the paper): all ")
    assert lines[-1].startswith("all 3 x 3 layers, floor and intervals are in grid.nc; as a table")
    assert lines[-2].startswith("cka_biased: another value over more images of the same kind")
    assert "only" not in done.stdout and "no intervals" not in done.stdout


def test_any_measure_everywhere_and_a_table(two_files):
    done = gapscope(
        *("compare", "a.nc", "b.nc", "-o", "grid.nc", "--measure", "rsa", "--measure", "procrustes"),
        *("--floor", "cells", "--permutations", "20", "--bootstraps", "0", "--csv", "grid.csv", "--remove-top", "1"),
        cwd=two_files,
    )
    assert done.returncode == 0, done.stderr
    assert "orthogonal Procrustes distance (a distance: smaller is more alike): all " in done.stdout
    table = pd.read_csv(two_files / "grid.csv")
    assert set(table["measure"]) == {"rsa", "procrustes"} and len(table) == 18
    assert table["cell_floor_q"].between(0, 1).all()
    grid = read_similarity(two_files / "grid.nc")
    assert grid.attrs["remove_top"] == 1 and grid["removed_a"].shape == (3,)


def test_the_diagonal_alone(two_files):
    done = gapscope("compare", "a.nc", "b.nc", "--diagonal", "--measure", "cca_mean", cwd=two_files)
    assert done.returncode == 0, done.stderr
    assert "all 3 layers, floor and intervals are in grid.nc" in done.stdout
    assert read_similarity(two_files / "grid.nc")["value"].dims == ("measure", "layer")


def test_few_images_are_pointed_out_and_undefined_layers_too(tmp_path):
    dead = np.zeros((20, 3))
    for name in "ab":
        recorded(features(20, 3, 0), dead).save(tmp_path / f"{name}.nc")
    done = gapscope("compare", "a.nc", "b.nc", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "only 20 images: intervals are wide" in done.stdout
    assert "1 layer undefined; reason_a and reason_b in the file say why" in done.stdout


def test_networks_with_other_layers_are_compared_without_means(tmp_path):
    a, _ = two_networks(110)
    a.save(tmp_path / "a.nc")
    names = np.array(["stem", "head"])
    replace(recorded(features(110, 4, 0), features(110, 5, 1)), layers=names).save(tmp_path / "b.nc")
    done = gapscope("compare", "a.nc", "b.nc", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("all 3 x 2 layers")
    refused = gapscope("compare", "a.nc", "b.nc", "--diagonal", cwd=tmp_path)
    assert refused.returncode == 2 and "have different layers, so there is no diagonal" in refused.stderr


@pytest.mark.parametrize(
    ("options", "wording"),
    [
        (["--measure", "cka"], "there is no measure 'cka'. Known: cka_debiased"),
        (["--measure", "euclidean"], "a recording holds Gram matrices only"),
        (["--measure", "cka_deconfounded"], "needs the Gram matrix of the images themselves"),
        (["--diagonal", "--floor", "cells"], "asked for in every cell, but cells = 'diagonal'"),
        (["--permutations", "-1"], "permutations = -1"),
        (["--remove-top", "200"], "remove_top = 200: 110 images span at most 109"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_writes_nothing(two_files, options, wording):
    done = gapscope("compare", "a.nc", "b.nc", *options, cwd=two_files)
    assert done.returncode == 2
    assert wording in done.stderr and done.stderr.count("\n") == 1
    assert not (two_files / "grid.nc").exists()


def test_recordings_that_hold_the_pixels_likeness_can_be_deconfounded(tmp_path):
    a, b = two_networks(30)
    pixels = features(30, 6, 0)
    pixels -= pixels.mean(0)
    for name, one in (("a", a), ("b", b)):
        replace(one, input_gram=pixels @ pixels.T).save(tmp_path / f"{name}.nc")
    done = gapscope("compare", "a.nc", "b.nc", "--measure", "cka_deconfounded", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    grid = read_similarity(tmp_path / "grid.nc")
    assert np.isnan(grid["value"][0].sel(layer_a=0)).all(), "layer 0 is the pixels themselves"
    assert np.isfinite(grid["value"][0].sel(layer_a=[1, 2])).all()
