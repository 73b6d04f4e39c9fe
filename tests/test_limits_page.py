"""The page about the paper's statements says what its numbers say, by the rules that it states."""

import importlib
import re
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from made_up_run import write_made_up_run
from scipy.stats import spearmanr

import gapscope
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.findings.run_reader import read_results
from gapscope.progress import silent
from gapscope.run_folder import RunFolder, RunName
from gapscope.several.statements import STATEMENTS, certainty, highest, in_all, lowest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))
statements, numbers, judged, tables, recordings, pictures, script = (
    importlib.import_module(name)
    for name in (
        "limits.statements",
        "limits.numbers",
        "limits.judged",
        "limits.tables",
        "limits.recordings",
        "limits.pictures",
        "write_limits_page",
    )
)
sys.path.remove(str(SCRIPTS))

CONTRASTS = {one.letter: one.contrast for one in STATEMENTS}
LAYERS = np.arange(107)


def curve_with(**levels: float) -> np.ndarray:
    """0.5 everywhere but in the named layers, as `_62_85=0.1`."""
    values = np.full(107, 0.5)
    for name, level in levels.items():
        first, *last = map(int, name.strip("_").split("_"))
        values[first : (last or [first])[0] + 1] = level
    return values


@pytest.mark.parametrize("letter", list(CONTRASTS))
def test_a_flat_curve_holds_no_statement(letter):
    assert CONTRASTS[letter](np.full(107, 0.7)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("letter", "levels", "contrast"),
    [
        ("a", {"_0_12": 0.9}, 0.4),
        ("b", {"_62_85": 0.2}, 0.3),
        ("c", {"_86": 0.8, "_98": 0.7}, 0.2),  # the smaller of 0.3 and 0.2
        ("c", {"_86": 0.8}, 0.0),  # one peak is not two
        ("d", {"_81_82": 0.1, "_93_94": 0.2, "_105_106": 0.3}, 0.2),
        ("d", {"_81_82": 0.1, "_93_94": 0.1}, 0.0),
        ("e", {"_75_106": 0.1}, 0.4),
    ],
)
def test_a_contrast_is_what_stands_out_by_hand(letter, levels, contrast):
    assert CONTRASTS[letter](curve_with(**levels)) == pytest.approx(contrast)


@pytest.mark.parametrize("letter", list(CONTRASTS))
def test_a_stack_of_curves_gives_each_curves_contrast(letter):
    curves = np.random.default_rng(0).random((2, 3, 107))
    alone = [[CONTRASTS[letter](one) for one in row] for row in curves]
    assert np.allclose(CONTRASTS[letter](curves), alone)


def test_layers_without_a_value_do_not_count():
    values = curve_with(_62_85=0.2)
    values[[3, 70]] = np.nan
    assert CONTRASTS["b"](values) == pytest.approx(0.3)


def test_layers_that_are_all_undefined_leave_a_statement_open_without_a_warning():
    values = curve_with(_93_94=np.nan)
    assert np.isnan(CONTRASTS["d"](values))
    assert certainty(CONTRASTS["d"](np.tile(values, (30, 1)))) == "open"
    assert np.isnan(lowest(values[93:95]))
    assert highest(values) == 0.5


def test_an_interval_is_sure_only_on_one_side_of_zero():
    around = np.linspace(-1, 1, 101)
    assert [certainty(around + shift) for shift in (2, 0, -2)] == ["yes", "open", "no"]
    assert certainty(np.full(10, np.nan)) == "open"


def test_a_statement_about_all_comparisons_falls_with_one_exception():
    assert in_all(["yes", "yes"]) == "yes"
    assert in_all(["yes", "open"]) == "open"
    assert in_all(["yes", "open", "no"]) == "no"


@pytest.mark.parametrize(
    ("biased", "debiased", "share", "verdict"),
    [
        ("yes", "yes", 0.2, "survives"),
        ("yes", "yes", 0.7, "survives but is mostly the estimator's floor"),
        ("open", "yes", 0.7, "survives, and only the debiased estimator is sure of it"),
        ("yes", "open", 0.2, "cannot be told"),
        ("yes", "no", 0.9, "is the estimator's floor"),
        ("open", "no", 0.2, "does not show here"),
        ("no", "no", 0.2, "does not show here"),
    ],
)
def test_a_verdict_follows_from_both_estimators_and_the_floor(biased, debiased, share, verdict):
    assert statements.verdict(biased, debiased, share) == verdict


def test_every_verdict_is_explained_on_the_page():
    words = (SCRIPTS / "limits/page.md.j2").read_text()
    answers = ("yes", "no", "open")
    verdicts = {statements.verdict(one, other, share) for one in answers for other in answers for share in (0.1, 0.9)}
    assert {verdict for verdict in verdicts if f"**{verdict}**" not in words} == set()


def test_a_small_size_stands_for_a_large_one_only_with_the_same_answers_and_the_same_level():
    same = ["yes"] * 5
    assert statements.size_verdict(same, same, 0.02, 0.05) == "survives"
    assert statements.size_verdict(same, same, 0.20, 0.05) == "survives for the pattern, not for the numbers"
    other = ["yes", "open", "yes", "open", "yes"]
    assert statements.size_verdict(other, same, 0.02, 0.05).endswith("one of the two sizes only: (b), (d)")
    other[2] = "no"
    assert statements.size_verdict(other, same, 0.02, 0.05).endswith("fails at the other: (c)")


def drawn(value: np.ndarray, floor: np.ndarray, noise: float = 0.001) -> object:
    draws = value + noise * np.random.default_rng(0).standard_normal((200, 107))
    return numbers.DrawnCurve(value, draws, floor)


def compared(value: np.ndarray, ceiling: np.ndarray, biased_floor: np.ndarray) -> object:
    """A pair whose biased curve is the debiased one on top of a floor."""
    nothing = np.zeros(107)

    def by_estimator(values: np.ndarray) -> dict[str, object]:
        biased = biased_floor + (1 - biased_floor) * values
        return {"cka_biased": drawn(biased, biased_floor), "cka_debiased": drawn(values, nothing)}

    return judged.Compared(("a", "b"), by_estimator(value), [by_estimator(ceiling)])


def test_a_dip_of_two_networks_and_not_of_two_seeds_survives_and_is_about_the_data():
    dip = compared(curve_with(_62_85=0.2), np.full(107, 0.9), np.zeros(107))
    found = {one.statement.letter: one for one in judged.judge_all([dip, dip])}
    assert (found["b"].verdict, found["b"].excess, found["b"].sure) == ("survives", "yes", 2)
    assert found["a"].debiased != "yes" or found["a"].excess != "no"


def test_a_dip_that_seeds_have_too_is_not_about_the_data():
    dip = compared(curve_with(_62_85=0.2), curve_with(_62_85=0.2), np.zeros(107))
    assert judged.judge(STATEMENTS[1], [dip]).excess == "open"


def test_a_dip_of_the_floor_alone_does_not_survive():
    flat = compared(curve_with(_62_85=0.53), np.full(107, 0.9), curve_with(_62_85=0.1))
    found = judged.judge(STATEMENTS[1], [flat])
    assert (found.biased, found.debiased, found.verdict) == ("yes", "no", "is the estimator's floor")


def test_a_dip_that_is_little_more_than_the_floors_is_said_to_be_mostly_that():
    little = compared(curve_with(_62_85=0.45), np.full(107, 0.9), curve_with(_62_85=0.1))
    assert judged.judge(STATEMENTS[1], [little]).verdict == "survives but is mostly the estimator's floor"


def test_the_effect_is_1_where_two_networks_share_what_two_seeds_do_and_0_at_the_floor():
    ceiling = np.full(107, 0.8)
    for value, effect in ((ceiling, 1.0), (np.zeros(107), 0.0), (ceiling / 4, 0.25)):
        assert compared(value, ceiling, np.zeros(107)).effect(STATEMENTS[0]) == pytest.approx(effect)


def test_the_rank_correlation_of_curves_is_spearmans():
    a, b = np.random.default_rng(3).random((2, 4, 107)).round(1)  # with ties
    expected = [spearmanr(one, other).statistic for one, other in zip(a, b, strict=True)]
    assert np.allclose(tables.rank_correlation(a, b), expected)


def test_images_are_enough_from_where_on_the_mean_no_longer_leaves():
    assert tables.settled_from((12, 25, 50), np.array([0.02, 0.005, 0.001])) == 25
    assert tables.settled_from((12, 25, 50), np.array([0.0, 0.02, 0.001])) == 50
    assert tables.settled_from((12, 25, 50), np.array([0.02, 0.02, 0.02])) is None
    assert tables.settled_from((12, 25, 50), np.array([0.0, 0.0, 0.0])) == 12


def settled_network(seed: int) -> torch.nn.Module:
    """Untrained, but with the batch statistics of noise, without which its later layers tell no images apart."""
    torch.manual_seed(seed)
    network = gapscope.yolov3(classes=5, width=0.1).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean over what was seen
    with torch.no_grad():
        network(torch.rand(8, 3, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A made-up run with real, untrained networks and a probe of its images."""
    folder = RunFolder(write_made_up_run(tmp_path_factory.mktemp("limits") / "run"))
    for part in ("similarity", "recordings"):  # nobody looks at them here, and reading them takes seconds
        shutil.rmtree(folder.root / part)
    for arm in ("u-real", "u-synthetic", "f-synthetic"):
        for seed in (0, 1):
            save_weights(settled_network(10 * len(arm) + seed), folder.weights(RunName(arm, seed)), {})
    lines = [f"images/camera-{number:05d}.png\n" for number in range(30, 50)]
    folder.probe("camera").parent.mkdir(exist_ok=True)
    folder.probe("camera").write_text("".join(lines))
    return folder.root


@pytest.fixture(scope="module")
def results(run):
    return read_results(run)


@pytest.fixture(scope="module")
def small(run):
    """Recordings of the made-up run's networks at 32 pixels, and the folder that keeps them."""
    kept = run.parent / "recordings"
    experiment = read_config(RunFolder(run).config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "sizes_of", lambda experiment: [32])
        ((_, found),) = recordings.record_all(RunFolder(run), experiment, run, kept, silent)
    return experiment, found, kept


def test_sizes_are_the_papers_and_the_training_size(small):
    assert recordings.sizes_of(small[0]) == [32, 128, 160, 416]


def test_recordings_that_are_there_are_read_and_others_refused(run, small, monkeypatch):
    experiment, found, kept = small
    monkeypatch.setattr(recordings, "sizes_of", lambda experiment: [32])
    monkeypatch.setattr(recordings, "record_by_layers", None)
    ((_, again),) = recordings.record_all(RunFolder(run), experiment, run, kept, silent)
    name = RunName("u-real", 0)
    assert np.array_equal(again[name].gram, found[name].gram)
    other = kept / "other"
    other.mkdir()
    replace(found[name], network_sha256="0" * 64).save(other / f"{name}--camera-32.nc")
    with pytest.raises(InputError, match=r"is of other weights or images than .*Delete it and run again"):
        list(recordings.record_all(RunFolder(run), experiment, run, other, silent))


def test_unrelated_directions_count_one_each(small):
    recording = small[1][RunName("u-real", 0)]
    n = len(recording.images)
    even = np.eye(n) - 1 / n
    line = np.outer(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2)
    changed = replace(recording, gram=np.stack([even, *[line] * 106]))
    assert numbers.effective_dimension(changed)[:2] == pytest.approx([n - 1, 1])


def test_an_arm_with_frozen_layers_gives_no_ceiling_beside_one_without(small):
    experiment = small[0]
    seeds = {pair[0].arm for pair in numbers.ceiling_pairs(experiment, ["u-real", "f-synthetic"])}
    assert seeds == {"u-real"}
    assert numbers.ceiling_pairs(experiment, ["f-synthetic"]) == [
        (RunName("f-synthetic", 0), RunName("f-synthetic", 1))
    ]


def test_numbers_are_kept_until_what_they_are_made_from_changes(tmp_path):
    made = []

    def make() -> xr.Dataset:
        made.append(len(made))
        return xr.Dataset({"value": made[-1]})

    path = tmp_path / "numbers.nc"
    values = [int(numbers.kept(path, key, make)["value"]) for key in ("one", "one", "other")]
    assert values == [0, 0, 1]


def test_the_value_of_a_curve_is_that_of_compare_and_its_draws_lie_around_it(small, monkeypatch):
    _, found, kept = small
    monkeypatch.setattr(numbers, "DRAWS", 60)
    monkeypatch.setattr(numbers, "PERMUTATIONS", 20)
    pair = RunName("u-real", 0), RunName("u-synthetic", 0)
    grid = gapscope.compare(found[pair[0]], found[pair[1]], permutations=0, bootstraps=0)
    curves = numbers.curves_of(found, pair, kept)
    for name, curve in curves.items():
        diagonal = np.diagonal(grid["value"].sel(measure=name))
        assert np.allclose(curve.value, diagonal, equal_nan=True)
        assert curve.draws.shape == (60, 107)
        low, high = np.quantile(curve.draws, (0, 1), axis=0)
        assert ((low <= diagonal) & (diagonal <= high)).mean() > 0.9
    assert np.abs(curves["cka_debiased"].floor).mean() < 0.2 < curves["cka_biased"].floor.mean()


@pytest.mark.slow
def test_a_run_becomes_a_page_with_every_picture_it_shows(run, results, small, tmp_path, monkeypatch):
    arms = dict(results.experiment.arms)
    arms["f-synthetic"] = arms["f-synthetic"].model_copy(update={"report": False})
    two = replace(results, experiment=results.experiment.model_copy(update={"arms": arms}))
    monkeypatch.setattr(script, "read_results", lambda folder: two)
    monkeypatch.setattr(numbers, "DRAWS", 40)
    monkeypatch.setattr(numbers, "PERMUTATIONS", 20)
    monkeypatch.setattr(numbers, "compare", partial(gapscope.compare, permutations=20, bootstraps=20))
    monkeypatch.setattr(pictures, "DOTS_PER_INCH", 40)
    monkeypatch.setattr(recordings, "sizes_of", lambda experiment: [32, 64])
    monkeypatch.setattr(script, "PAPER_SIZES", (32,))
    page = script.main(run, run, tmp_path, small[2], silent)
    text = page.read_text()
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(shown) == 1 + 4  # two arms have no Figures 5 and 6
    assert all((tmp_path / name).stat().st_size < 200_000 for name in shown)
    assert "thin networks (width 0.25) trained on 36 images" in text
    assert all(f"## ({letter}) " in text for letter in "abcdef")
    assert not re.search(r"\{\{|\{%|\bnan\b|None", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {line.count(" | ") for line in rows if line.startswith("| (")}
    assert widths == {2}  # statement, 32 px, 64 px


def test_a_run_of_one_seed_is_refused_for_want_of_a_ceiling(results):
    once = results.experiment.model_copy(update={"seeds": [0]})
    with pytest.raises(InputError, match=r"has one seed, so there is no ceiling. Run the study with two or more seeds"):
        script.check(replace(results, experiment=once))


def test_a_run_without_weights_is_refused_by_name(results, tmp_path):
    with pytest.raises(InputError, match=r"has no weights of u-real, seed 0. Finish it with: gapscope run"):
        script.check(replace(results, folder=tmp_path))
