"""The data stage: what an experiment file says of a domain's labels is done, counted and shown."""

import csv
import json
from pathlib import Path

import pytest
from small_data import noise

from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.run_folder import RunFolder
from gapscope.study.domain_files import write_domain_files
from gapscope.study.domains import prepare_domain

HEAD = """name = "x"
[data]
classes = ["person", "car"]
image_size = 64
[domains.game]
role = "synthetic"
root = "game"
{}
[arms.a]
domains = ["game"]
[probe]
domain = "game"
images = 4
"""
REST = ",".join(["0"] * 22)


def experiment_of(text):
    return parse_config(HEAD.format(text))


def game(root: Path) -> Path:
    """VIPER with three sequences of four frames: a passing car, a person, and the driver's own hood."""
    for sequence in range(1, 4):
        for number in range(1, 5):
            name = f"{sequence:03}/{sequence:03}_{number:05}"
            noise(root / f"img/{name}.png", seed=17 * sequence + number)
            rows = [
                (24, 9000, 10, 40, 92, 60),
                (20, 9001, 9 * number, 3, 9 * number + 4, 60),
                (24, 900 + number, 9 * number, 10, 9 * number + 20, 20),
            ]
            path = root / f"bb/{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{','.join(map(str, row))},{REST}\n" for row in rows))
    return root


def prepared(tmp_path, text):
    experiment = experiment_of(text)
    return experiment, prepare_domain("game", experiment.domains["game"], experiment.data, game(tmp_path / "game"))


def test_a_viper_domain_is_mapped_by_name_filtered_and_freed_of_its_hood(tmp_path):
    experiment, domain = prepared(
        tmp_path, 'label_map = "viper"\nmax_aspect = 4\nremove_hood = true\nkeep_hood = ["003"]'
    )
    assert domain.labels.label_map == {"person": {"person": 12}, "car": {"car": 24, "van": 0}}
    assert set(domain.labels.dropped) >= {"bicycle", "bus", "sky"}
    assert domain.removed == {"min_area": 0, "max_aspect": 12 + 4, "hood": 8}
    folder = RunFolder(tmp_path / "run")
    write_domain_files("game", experiment, domain, folder)
    here = folder.domain("game")
    summary = json.loads((here / "summary.json").read_text())
    assert summary["removed"] == {"min_area": 0, "max_aspect": 16, "hood": 8, "no_area": 0}
    assert [(hood["group"], hood["removed"]) for hood in summary["hoods"]] == [
        ("001", True),
        ("002", True),
        ("003", False),
    ]
    assert "class first" in summary["notes"][0] and "Table 1" in summary["notes"][1]
    with (here / "hood/removed.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["group"] for row in rows} == {"001", "002"} and len(rows) == 8
    assert (here / "hood/sheet.jpg").stat().st_size > 1000


def test_reader_options_and_places_reach_the_reader(tmp_path):
    places = 'label_map = "viper"\nimages = "img"\nannotations = "bb"\n'
    text = places + 'reader_options = { columns = "class-first", pixels = "inclusive" }'
    _, domain = prepared(tmp_path, text)
    assert domain.table.xyxy[1].tolist() == [9, 3, 14, 60]
    assert "as stated" in domain.notes[0]
    assert domain.hoods is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('label_map = "vipr"', r"\[domains.game\] label_map: there is no 'vipr'\. Did you mean 'viper'\?"),
        ("max_aspect = 0.5", r"max_aspect = 0\.5: input should be greater than or equal to 1"),
        ("max_occlusion = 2", "max_occlusion = 2: input should be less than or equal to 1"),
        ('min_area_at = "screen"', "min_area_at = 'screen': input should be 'native' or 'network'"),
    ],
)
def test_a_wrong_key_is_refused_before_anything_is_read(text, message):
    with pytest.raises(InputError, match=message):
        experiment_of(text)


def test_a_filter_that_cannot_work_names_its_domain(tmp_path):
    with pytest.raises(InputError, match=r"\[domains.game\]: max_occlusion = 0\.5: no box of this data set says"):
        prepared(tmp_path, 'label_map = "viper"\nmax_occlusion = 0.5')
