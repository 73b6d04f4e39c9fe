"""A study's image cache: where it lies, that all stages share it, and that no number depends on it."""

from pathlib import Path

import pytest
import torch
from miniature import MINIATURE
from small_data import coco_folder, write_coco

from gapscope.config import Experiment
from gapscope.data import image_cache
from gapscope.data.letterbox import FILL, INTERPOLATION
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.diets import diet_of
from gapscope.study.domain_files import write_domain_files
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import keys_of


def experiment(data: str = "", cache: str = "") -> Experiment:
    """The miniature study with these lines in [data]; with a folder, its camera domain is the images there."""
    text = MINIATURE.replace("image_size = 64", f"image_size = 64\n{cache}")
    if data:
        generated = 'generate = { style = "camera", images = 32, size = 96, seed = 1 }\nmin_area = 30.0'
        labels = 'labels = { car = ["car"] }\ndrop = ["van"]\nsplit = { fractions = [0.5, 0.2, 0.3] }'
        text = text.replace(generated, f'root = "{data}"\n{labels}').replace("images = 6", "images = 4")
    return parse_config(text, "miniature.toml")


def photos(folder: Path, number: int = 20) -> Path:
    content = coco_folder(folder, number)
    write_coco(folder, content)
    return folder


def test_the_cache_lies_in_the_run_folder_or_where_it_is_told_to(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert Study(experiment(), folder).image_cache is None
    assert Study(experiment(cache='cache = "off"'), folder).image_cache is None
    assert Study(experiment(cache='cache = "disk"'), folder).image_cache.folder == tmp_path / "run/image-cache"
    named = experiment(cache='cache = "disk"\ncache_folder = "~/squares"')
    assert Study(named, folder).image_cache.folder == Path.home() / "squares"


def test_no_unit_is_made_again_for_another_cache(tmp_path):
    def keys(cache: str) -> dict[str, str]:
        folder = RunFolder(tmp_path)
        found = keys_of(units_of(Study(experiment(cache=cache), folder)), folder)
        return {name: key for name, key in found.items() if name != "report"}

    assert keys("") == keys('cache = "off"') == keys('cache = "disk"\ncache_folder = "elsewhere"')


def test_a_cache_among_the_images_is_refused(tmp_path):
    root = photos(tmp_path / "photos")
    inside = experiment(str(root), f'cache = "disk"\ncache_folder = "{root}/cache"')
    with pytest.raises(InputError, match=r"image cache .*cache lies in .*photos, the root of domain 'camera'"):
        Study(inside, RunFolder(tmp_path / "run")).check_domain("camera")
    Study(experiment(str(root), 'cache = "disk"'), RunFolder(tmp_path / "run")).check_domain("camera")


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        ('cache = "ram"', r"cache = 'ram': input should be 'memory', 'disk' or 'off'"),
        ('cache_folder = "x"', r"cache_folder = 'x': it is used with cache = \"disk\" alone; set that too"),
    ],
)
def test_what_cannot_be_is_refused(cache, message):
    with pytest.raises(InputError, match=message):
        experiment(cache=cache)


def test_training_serves_the_same_images_from_a_kept_folder_and_says_how_they_were_scaled(tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "SETTLED_SECONDS", -1.0)
    root = photos(tmp_path / "photos")
    folder = RunFolder(tmp_path / "run")
    on_disk, off = (Study(experiment(str(root), f'cache = "{kind}"'), folder) for kind in ("disk", "off"))
    on_disk.check_domain("camera")
    write_domain_files("camera", on_disk.experiment, on_disk.prepared["camera"], folder)
    served = [diet_of(study, RunName("u-real", 0)).samples for study in (on_disk, on_disk, off)]
    for position in range(len(served[0])):
        assert all(torch.equal(one[position].image, served[2][position].image) for one in served)
    kept = [path for path in folder.image_cache.rglob("*") if path.is_file()]
    assert len(kept) == len(served[0]) == 10
    summary = (folder.domain("camera") / "summary.json").read_text()
    assert f'"interpolation": "{INTERPOLATION}"' in summary and f'"fill": {FILL}' in summary


def test_switches_of_augmentation_reach_training_and_are_checked():
    shown = MINIATURE + "\n[train.augment]\nrotate = 10\nshear = 5\n"
    assert parse_config(shown, "x.toml").train.augment.rotate == 10
    for line, message in (("shear = 45", "less than 45"), ("hsv = [0.1, 2, 0]", "less than or equal to 1")):
        with pytest.raises(InputError, match=message):
            parse_config(MINIATURE + f"\n[train.augment]\n{line}\n", "x.toml")


def test_the_switches_are_those_of_the_library():
    from dataclasses import asdict

    from gapscope import config
    from gapscope.data.augment import Augmentation

    assert asdict(Augmentation()) == config.Augment().model_dump()
