"""Reading through h5py gives what xarray gives, for every kind of file that gapscope writes."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up_similarity import write_made_up_similarity
from small_recordings import two_networks

from gapscope.recording.netcdf import read_netcdf
from gapscope.similarity.compare import compare
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.layer_summary import layer_summary


def same(path: Path, **options) -> xr.Dataset:
    """The dataset, after it was found to be that of xarray, attributes and types of numbers too."""
    found, expected = read_netcdf(path, **options), xr.load_dataset(path, engine="h5netcdf")
    expected = expected.drop_vars(options.get("drop", ()))
    xr.testing.assert_identical(found, expected)
    assert {name: type(value) for name, value in found.attrs.items()} == {
        name: type(value) for name, value in expected.attrs.items()
    }
    for name in found.variables:
        if found[name].dtype != object:
            assert found[name].dtype == expected[name].dtype
    return found


def test_a_recording_is_read_whole_or_without_its_matrices(tmp_path):
    a, _ = two_networks()
    a.save(tmp_path / "a.nc")
    whole = same(tmp_path / "a.nc")
    assert whole["image"].dims == ("image_i",) and whole["image"].values[3] == "3.png"
    assert set(same(tmp_path / "a.nc", drop=("gram", "pooled"))) == set(whole) - {"gram", "pooled"}


def test_grids_summaries_and_influences_are_read_as_they_were(tmp_path):
    a, b = two_networks()
    for name, dataset in {
        "grid": compare(a, b, measures=["cka_debiased", "rsa"], permutations=20, bootstraps=20, remove_top=1),
        "summary": layer_summary(a, b, [(a, b)], permutations=20, bootstraps=20),
        "influence": leave_one_out(a, b),
    }.items():
        dataset.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        same(tmp_path / f"{name}.nc")


def test_numbers_texts_and_nothing_come_back_as_they_went(tmp_path):
    dataset = xr.Dataset(
        {
            "number": 3.5,
            "whole": ("x", np.array([1, -2, 3], np.int32)),
            "undefined": ("x", [1.0, np.nan, 2.0]),
            "texts": ("x", np.array(["", "ä<b>", "c"], dtype=object)),
            "flat": (("x", "y"), np.zeros((3, 0))),
        },
        coords={"x": ["a", "b", "c"]},
        attrs={"n": 3, "share": 0.5, "empty": "", "text": "ü", "several": [1, 2]},
    )
    dataset.to_netcdf(tmp_path / "all.nc", engine="h5netcdf")
    found = read_netcdf(tmp_path / "all.nc")
    xr.testing.assert_equal(found, dataset)
    assert found.attrs["several"].tolist() == [1, 2] and found.attrs["empty"] == "" and found.attrs["text"] == "ü"


def test_a_made_up_run_is_in_the_shape_of_files_that_were_written(tmp_path):
    write_made_up_similarity(tmp_path, ["u-real", "f-synthetic"], (0, 1), (64,), ("camera",))
    files = sorted(tmp_path.rglob("*.nc"))
    assert len(files) == 4 + 8 + 2
    for file in files[::4]:
        same(file)


@pytest.mark.parametrize("kept", [0, 100, 3000])
def test_a_file_that_is_cut_off_is_an_error_that_readers_know(tmp_path, kept):
    a, _ = two_networks()
    a.save(tmp_path / "a.nc")
    (tmp_path / "cut.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:kept])
    with pytest.raises((OSError, KeyError, ValueError, RuntimeError)):
        read_netcdf(tmp_path / "cut.nc")
