"""Handing a study's work out: what may begin when, what a failure keeps from being done, what is refused beforehand."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from two_domains import TEXT, noted_as_done, study_of

from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.files import write_text
from gapscope.study.engines.choose import check_engine, open_engine
from gapscope.study.engines.engine import End, Job, Share, do_job
from gapscope.study.engines.hand_out import TRIES, hand_out, share_of
from gapscope.study.engines.slurm_engine import SlurmEngine
from gapscope.study.made_from import Part
from gapscope.study.study import Study
from gapscope.study.units import Unit, UnitKeys, ledger, pending

EXPERIMENT = parse_config(TEXT)


class InThisProcess:
    """An engine that does its jobs one after the other when asked for their ends, the newest first."""

    name, gpus, cores = "here", False, 1

    def __init__(self, most: int = 99, lost: dict[str, int] | None = None) -> None:
        self.most, self.lost, self.jobs, self.begun = most, lost or {}, list[Job](), list[str]()
        self.at_a_time = 0

    def room(self) -> int:
        return self.most - len(self.jobs)

    def start(self, job: Job) -> None:
        self.jobs.append(job)
        self.begun.append(job.unit.name)
        self.at_a_time = max(self.at_a_time, len(self.jobs))

    def ended(self, seconds: float) -> End | None:
        job = self.jobs.pop()
        if self.lost.get(job.unit.name, 0) > 0:
            self.lost[job.unit.name] -= 1
            return End(job.unit.name, "lost", message="its machine went down")
        return do_job(job)

    def stop(self) -> None:
        self.jobs.clear()


def unit(study: Study, stage: str, name: str, needs: tuple[str, ...] = (), error: Exception | None = None) -> Unit:
    """A unit whose work is to write a file, if those of the units that it needs are there, or to fail."""
    files = {one: study.folder.root / f"{one}.txt" for one in (name, *needs)}

    def work(study: Study, keys: UnitKeys) -> None:
        if error is not None:
            raise error
        assert all(files[one].exists() for one in needs), f"{name} began too early"
        write_text(files[name], name)

    return Unit(stage, name, {"name": Part(name)}, needs, (files[name],), work)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_of(EXPERIMENT, tmp_path / "run", tmp_path)


def small_study(study: Study, **errors: Exception) -> list[Unit]:
    """Two trainings, each scored and recorded, and a comparison of both."""
    needs = {"ta": (), "tb": (), "ea": ("ta",), "eb": ("tb",), "ra": ("ta",), "rb": ("tb",), "c": ("ra", "rb")}
    stages = {"t": "train", "e": "evaluate", "r": "record", "c": "compare"}
    return [unit(study, stages[name[0]], name, above, errors.get(name)) for name, above in needs.items()]


def all_of(study: Study, engine: InThisProcess, units: list[Unit]) -> list[str]:
    return hand_out(engine, units, study, stages=("train", "evaluate", "record", "compare"))


@pytest.mark.parametrize("most", [1, 2, 99])
def test_each_unit_begins_once_its_inputs_are_there_and_never_more_than_there_is_room_for(study, most):
    engine, units = InThisProcess(most), small_study(study)
    done = all_of(study, engine, units)
    assert sorted(done) == sorted(one.name for one in units) and not pending(units, study.folder)
    assert engine.at_a_time <= most


def test_a_network_is_scored_before_the_next_one_is_trained(study):
    engine = InThisProcess(1)
    all_of(study, engine, small_study(study))
    assert engine.begun == ["ta", "ra", "ea", "tb", "rb", "c", "eb"]


def test_what_is_done_is_not_begun_again(study):
    units = small_study(study)
    all_of(study, InThisProcess(), units)
    again = InThisProcess()
    assert all_of(study, again, units) == [] and again.begun == []


def test_only_the_stages_that_were_asked_for_are_done(study):
    engine = InThisProcess()
    hand_out(engine, small_study(study), study, stages=["train"])
    assert sorted(engine.begun) == ["ta", "tb"]


def test_all_that_does_not_need_what_failed_is_done_and_the_failure_is_told_at_the_end(study):
    units = small_study(study, ta=InputError("a.png is no image. Copy it again."))
    with pytest.raises(InputError) as refused:
        all_of(study, InThisProcess(), units)
    assert str(refused.value) == (
        "1 unit of work failed; all that does not need them is done. Not done for want of them: ea, ra, c.\n"
        "- ta: a.png is no image. Copy it again.\n"
        "Mend what they name and give the same command again: it goes on from there."
    )
    assert {one.name for one in pending(units, study.folder)} == {"ta", "ea", "ra", "c"}


def test_an_error_of_ours_is_none_of_the_users_and_leaves_its_whole_trace(study):
    with pytest.raises(RuntimeError, match=r"- ra: ZeroDivisionError: by zero \(all of it: .*failures/ra.txt\)"):
        all_of(study, InThisProcess(), small_study(study, ra=ZeroDivisionError("by zero")))
    assert "Traceback" in study.folder.failure("ra").read_text()


def test_what_ended_without_a_word_is_begun_again_but_not_without_end(study):
    units, engine = small_study(study), InThisProcess(lost={"ta": TRIES - 1})
    all_of(study, engine, units)
    assert engine.begun.count("ta") == TRIES and not pending(units, study.folder)
    other = study_of(EXPERIMENT, study.folder.root / "other", None)
    engine = InThisProcess(lost={"tb": 99})
    with pytest.raises(InputError, match=r"- tb: its machine went down, 3 times in a row"):
        all_of(other, engine, small_study(other))
    assert engine.begun.count("tb") == TRIES


def test_units_that_go_by_what_one_left_are_looked_at_again_when_it_comes_out_the_same(study):
    """A training made again with the same result, as after a touched image, makes nothing else again."""
    units = small_study(study)
    units[0] = replace(units[0], left=lambda: "the same weights")
    all_of(study, InThisProcess(), units)
    units[0] = replace(units[0], made_from={"name": Part("ta"), "another image": Part(True)})
    engine = InThisProcess()
    all_of(study, engine, units)
    assert engine.begun == ["ta"]


@pytest.mark.parametrize(
    ("error", "how", "message"),
    [
        (MemoryError("9 GiB"), "lost", "the memory of its machine did not suffice (9 GiB)"),
        (RuntimeError("can't allocate memory"), "lost", "the memory of its machine did not suffice (can't allocate"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/run/w"),
            "refused",
            "/run/w: No space left on device. Make",
        ),
    ],
)
def test_memory_and_disk_that_run_out_are_no_error_of_the_units(study, error, how, message):
    one = unit(study, "train", "ta", error=error)
    keys = ledger([one], study.folder)["ta"].keys
    end = do_job(Job(one, keys, study, Share(0, 1, 0), Path.cwd()))
    assert end.how == how and end.message.startswith(message)


def test_a_job_that_was_to_have_a_gpu_does_not_run_on_the_cpu_in_silence(study, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    one = unit(study, "train", "ta")
    keys = ledger([one], study.folder)["ta"].keys
    end = do_job(Job(one, keys, study, Share(1, 1, 0), Path.cwd()))
    assert end.how == "refused"
    assert end.message.startswith("ta was to have 1 GPU(s), and PyTorch finds 0 on its machine.")
    assert not one.outputs[0].exists()


def test_a_machine_without_the_folder_says_so(study, tmp_path):
    one = unit(study, "train", "ta")
    keys = ledger([one], study.folder)["ta"].keys
    end = do_job(Job(one, keys, study, Share(0, 1, 0), tmp_path / "not mounted"))
    assert end.how == "refused" and "All machines must see it" in end.message


def with_settings(study: Study, device: str, **resources: object) -> Study:
    experiment = parse_config(TEXT.replace('device = "cpu"', f'device = "{device}"'))
    given = {"train": resources} if resources else {}
    return replace(study, experiment=type(experiment).model_validate(experiment.model_dump() | {"resources": given}))


@pytest.mark.parametrize(
    ("device", "gpus_there", "resources", "gpus"),
    [
        ("cpu", True, {}, 0),
        ("auto", True, {}, 1),
        ("auto", False, {}, 0),
        ("cuda", None, {}, 1),
        ("auto", True, {"gpus": 0.5}, 0.5),
        ("auto", None, {"gpus": 0}, 0),
        ("cpu", True, {"gpus": 0}, 0),
    ],
)
def test_trainings_get_a_gpu_where_there_are_some_and_they_want_one(study, device, gpus_there, resources, gpus):
    assert share_of("train", with_settings(study, device, **resources), gpus_there, 3) == Share(gpus, 3, 0)
    assert share_of("compare", with_settings(study, device, **resources), gpus_there, 3).gpus == 0


def test_cores_and_memory_are_as_asked(study):
    asked = with_settings(study, "cpu", cpus=5, memory="1.5 GiB")
    assert share_of("train", asked, None, 3) == Share(0, 5, 3 * 2**29)


@pytest.mark.parametrize(
    ("device", "gpus_there", "resources", "words"),
    [
        ("auto", True, {"gpus": 0}, "without a GPU of its own it would run on the CPU in silence"),
        ("cuda", None, {"gpus": 0}, "without a GPU of its own it would run on the CPU in silence"),
        ("auto", None, {}, "whether the machines of this engine have GPUs cannot be known beforehand"),
    ],
)
def test_a_training_that_would_run_on_the_cpu_in_silence_is_refused(study, device, gpus_there, resources, words):
    with pytest.raises(InputError, match=words):
        share_of("train", with_settings(study, device, **resources), gpus_there, 1)


@pytest.mark.parametrize(
    ("on", "options", "words"),
    [
        ("rey", [], "--on rey: there is no such engine. Did you mean 'ray'? Take ray or slurm."),
        ("slurm=there", [], "--on slurm=there: only ray takes an address"),
        ("ray=", [], "--on ray=: only ray takes an address, such as ray=auto"),
        ("ray", ["partition=gpu"], "--slurm partition=gpu: only --on slurm has options of sbatch."),
        ("slurm", ["partition"], "--slurm partition: give name=value, such as partition=gpu."),
    ],
)
def test_what_names_no_engine_is_refused(on, options, words):
    with pytest.raises(InputError) as refused:
        check_engine(on, options)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(("on", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed_is_named_with_what_installs_it(study, monkeypatch, on, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(InputError, match=rf"which is not installed: pip install 'gapscope\[{on}\]'"):
        with open_engine(on, study.folder, 1):
            pass


def test_options_that_sbatch_does_not_know_are_refused(study):
    pytest.importorskip("submitit")
    with pytest.raises(InputError, match="give whole minutes, such as time=600"):
        SlurmEngine(study.folder.jobs, {"time": "soon"}, 1, cluster="local")


@pytest.mark.parametrize("text", ["much", "16 GB/s", "-1 GiB"])
def test_a_memory_that_is_no_size_is_refused(text):
    with pytest.raises(InputError, match=r"is no size\. Write it as in '16 GiB'"):
        parse_config(TEXT + f'[resources.train]\nmemory = "{text}"\n')


def test_noted_as_done_leaves_nothing_to_hand_out(study, tmp_path):
    from two_domains import write_two_domains

    from gapscope.study.run import do
    from gapscope.study.stages import units_of

    write_two_domains(tmp_path)
    do(units_of(study), study, only="data")
    noted_as_done(study)
    engine = InThisProcess()
    assert all_of(study, engine, units_of(study)) == [] and engine.begun == []
