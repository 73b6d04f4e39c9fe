"""A study's probes and sizes, from its units of work to the files: what hangs on what, and what is made again."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_recordings import features, recorded
from two_domains import TEXT, drawn_as_trained, study_of, write_two_domains

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.findings.run_reader import read_results
from gapscope.recording.recording import read_recording
from gapscope.run_folder import RunName
from gapscope.similarity.gram import center
from gapscope.similarity.separability import separability
from gapscope.study.run import do, run, write_settings
from gapscope.study.separabilities import separability_of
from gapscope.study.stages import units_of
from gapscope.study.state import Watched
from gapscope.study.status import again_lines
from gapscope.study.units import keys_of

pytestmark = pytest.mark.slow


def experiment(*changes: tuple[str, str]) -> Experiment:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_config(text)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_domains(tmp_path_factory.mktemp("data"))


def keys(chosen: Experiment, folder: Path, data_root: Path) -> dict[str, str]:
    study = study_of(chosen, folder, data_root)
    return keys_of(units_of(study), study.folder)


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """Recorded and compared for real; the trainings are networks as they were drawn, noted down as done."""
    folder = tmp_path_factory.mktemp("probes") / "run"
    study = study_of(experiment(), folder, data_root)
    write_settings(study, TEXT)
    units = units_of(study)
    do(units, study, only="data")
    drawn_as_trained(study)
    do(units, study, only="record")
    do(units, study, only="compare")
    return folder


def test_every_probe_is_recorded_and_compared(recorded_run):
    names = ["u-real-seed0", "u-real-seed1", "f-game-seed0", "f-game-seed1"]
    recordings = {f"{name}--{probe}-32.nc" for name in names for probe in ("real", "game")}
    assert {path.name for path in (recorded_run / "recordings").iterdir()} == recordings
    pairs = [(name, name) for name in names] + [(f"u-real-seed{s}", f"f-game-seed{s}") for s in (0, 1)]
    pairs += [(f"{arm}-seed0", f"{arm}-seed1") for arm in ("u-real", "f-game")]
    effects = [f"effect--u-real-seed{s}--f-game-seed{s}" for s in (0, 1)]
    expected = {f"{name}--{p}-32.nc" for p in ("real", "game") for name in [*(f"{a}--{b}" for a, b in pairs), *effects]}
    assert {path.name for path in (recorded_run / "similarity").iterdir()} == expected


def test_the_networks_looked_at_the_images_on_each_probes_list(recorded_run):
    for domain in ("real", "game"):
        listed = (recorded_run / f"probe/{domain}.txt").read_text().splitlines()[1:]
        recording = xr.load_dataset(recorded_run / f"recordings/u-real-seed0--{domain}-32.nc", engine="h5netcdf")
        assert recording["image"].values.tolist() == listed
        assert set(listed) < set((recorded_run / f"data/{domain}/test.txt").read_text().splitlines())


def test_the_report_reads_what_the_stages_wrote(recorded_run):
    results = read_results(recorded_run)
    assert results.probes == ["real", "game"]
    a, b = RunName("u-real", 0), RunName("f-game", 0)
    for domain in results.probes:
        seen = results.seen_at(domain)
        grid, effect = seen.grids[a, b, 32], seen.effects[a, b, 32]
        assert grid.attrs["probe"] == seen.probe == domain
        np.testing.assert_allclose(effect["similarity"], np.diagonal(grid["value"].sel(measure="cka_debiased")))
        assert set(grid["image"].values) == set((recorded_run / f"probe/{domain}.txt").read_text().splitlines()[1:])
        assert "influence" not in seen.grids[a, a, 32]
    assert not np.array_equal(results.grids[a, b, 32]["value"], results.seen_at("game").grids[a, b, 32]["value"])


def test_one_seed_has_no_effects(data_root, tmp_path):
    one = units_of(study_of(experiment(("seeds = [0, 1]", "seeds = [0]")), tmp_path, data_root))
    assert not [unit.name for unit in one if unit.name.startswith("effect")]


def test_another_probe_trains_evaluates_and_records_nothing_again(data_root, tmp_path):
    with_it = keys(experiment(), tmp_path, data_root)
    without = keys(experiment(('also = ["game"]\n', "")), tmp_path, data_root)
    same = {name for name in without if with_it.get(name) == without[name]}
    assert set(without) - same == {"report"}
    assert {name.partition("/")[0] for name in set(with_it) - set(without)} == {"probe", "record", "compare", "effect"}


def test_other_measures_leave_effects_as_they_are(data_root, tmp_path):
    before, after = (keys(experiment(('"rsa"', f'"{name}"')), tmp_path, data_root) for name in ("rsa", "cka_biased"))
    assert {name.partition("/")[0] for name in before if before[name] != after[name]} == {"compare", "report"}


def test_a_lost_effect_is_made_again_alone_and_is_the_same(recorded_run, data_root):
    study = study_of(experiment(), recorded_run, data_root)
    path = study.folder.effect(RunName("u-real", 0), RunName("f-game", 0), "game", 32)
    before = xr.load_dataset(path, engine="h5netcdf")
    path.unlink()
    assert do(units_of(study), study, only="compare") == ["effect/u-real-seed0/f-game-seed0/game-32"]
    xr.testing.assert_identical(xr.load_dataset(path, engine="h5netcdf"), before)


def test_a_further_probe_of_too_few_images_is_refused_before_anything_is_done(data_root, tmp_path):
    few = experiment(("images = 5", "images = 7"))
    with pytest.raises(InputError, match=r"7 images wanted, but the test split of '(real|game)' has 6\. Lower"):
        run(few, tmp_path / "run", data_root=data_root)
    assert not (tmp_path / "run").exists()


def test_so_it_is_where_the_data_stage_was_done_before_the_probe_was_added(data_root, tmp_path):
    main = experiment(
        ('also = ["game"]\n', ""), ("[domains.game]", "[domains.game]\nsplit = { fractions = [0.5, 0.4, 0.1] }")
    )
    run(main, tmp_path / "run", data_root=data_root, only="data")
    added = main.model_copy(update={"probe": main.probe.model_copy(update={"also": ["game"]})})
    with pytest.raises(InputError, match=r"5 images wanted, but the test split of 'game' has 3\."):
        run(added, tmp_path / "run", data_root=data_root)


def test_the_status_says_what_a_changed_experiment_makes_again(recorded_run, data_root, tmp_path):
    shutil.copytree(recorded_run, tmp_path / "run")
    changed = study_of(experiment(('"rsa"', '"cka_biased"')), tmp_path / "run", data_root)
    write_settings(changed, None)
    state = Watched(tmp_path / "run", data_root).state()
    again = {stage.name: stage.again for stage in state.stages if stage.again}
    assert again == {"compare": 16}  # 8 grids on either probe; the 4 effects stay
    lines = again_lines(state, changed.folder)
    assert lines[0] == "finished before, and to be done again:"
    assert " and 13 more: [similarity] measures " in lines[1]
    assert '["cka_debiased", "rsa"] -> ["cka_debiased", "cka_biased"] (took ' in lines[1]


SEPARABILITY = 'also = ["game"]', 'also = ["game"]\nseparability = ["game"]'
RUNS = tuple(RunName(arm, seed) for arm in ("u-real", "f-game") for seed in (0, 1))


@pytest.fixture(scope="module")
def told_apart(recorded_run, data_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart") / "run"
    shutil.copytree(recorded_run, folder)
    study = study_of(experiment(SEPARABILITY), folder, data_root)
    write_settings(study, None)
    units = [unit for unit in units_of(study) if unit.stage in ("data", "train", "record", "compare")]
    return folder, do(units, study)


class TestSeparability:
    """`[probe] separability`, added to a run that is finished."""

    def test_a_finished_run_gains_it_and_nothing_else_is_made_again(self, told_apart):
        _, made = told_apart
        both = [f"record/{run.arm}/seed{run.seed}/real+game-32" for run in RUNS]
        assert sorted(made) == sorted([*both, *(f"separability/{run}/real+game-32" for run in RUNS)])

    def test_a_network_sees_both_probes_one_after_the_other(self, told_apart):
        folder = told_apart[0]
        both = read_recording(folder / "recordings/u-real-seed0--real+game-32.nc")
        parts = [read_recording(folder / f"recordings/u-real-seed0--{name}-32.nc") for name in ("real", "game")]
        assert both.images == tuple(
            f"{n}/{i}" for n, part in zip(("real", "game"), parts, strict=True) for i in part.images
        )
        for part, rows in zip(parts, (slice(0, 5), slice(5, 10)), strict=True):
            np.testing.assert_allclose(center(both.gram[:, rows, rows]), part.gram, atol=1e-4 * np.abs(part.gram).max())

    def test_findings_read_it_as_a_typed_thing(self, told_apart):
        folder = told_apart[0]
        found = read_results(folder).separabilities
        assert list(found) == [(run, "game") for run in RUNS]
        recording = read_recording(folder / "recordings/u-real-seed0--real+game-32.nc")
        expected = separability(recording, ["real"] * 5 + ["game"] * 5, shuffles=20, bootstraps=20)
        one = found[RunName("u-real", 0), "game"]
        np.testing.assert_array_equal(one.accuracy.value, expected["accuracy"])
        np.testing.assert_array_equal(one.cka.interval_low, expected["cka_interval_low"])
        assert one.domains == ("game", "real") and one.images == (5, 5) and not one.grouped

    def test_a_broken_file_is_named(self, told_apart, tmp_path):
        shutil.copytree(told_apart[0], tmp_path / "run")
        (tmp_path / "run/separability/u-real-seed1--real+game-32.nc").write_text("no netCDF")
        with pytest.raises(InputError, match=r"real\+game-32\.nc is damaged: it does not hold what separability/"):
            read_results(tmp_path / "run")

    def test_groups_stay_whole_where_both_domains_have_several(self):
        plan = experiment().similarity
        recording = recorded(features(16, 5, 0))
        drives = {"real": ["a", "a", "b", "b", "c", "c", "", ""], "game": ["a", "a", "b", "b", "b", "b", "c", "c"]}
        found = separability_of(recording, drives, plan)
        assert (found.attrs["grouped"], found.attrs["groups_a"], found.attrs["groups_b"]) == (1, 3, 5)
        one = separability_of(recording, drives | {"game": ["a"] * 8}, plan)
        assert one.attrs["grouped"] == 0 and one.attrs["not_grouped"].startswith("all images of game are of one group")
        none = separability_of(recording, {"real": [""] * 8, "game": [""] * 8}, plan)
        assert none.attrs["grouped"] == 0 and "not_grouped" not in none.attrs

    def test_an_unknown_domain_is_refused(self):
        with pytest.raises(InputError, match=r"\[probe\] separability: there is no domain 'gam'\. Did you mean 'game'"):
            experiment((SEPARABILITY[0], 'separability = ["gam"]'))
        with pytest.raises(InputError, match=r"\[probe\] domain and separability: 'real' is named twice"):
            experiment((SEPARABILITY[0], 'separability = ["real"]'))
