"""Metrics reach the tools that people watch trainings with, once each, also when a training goes on."""

import sys
import types
from argparse import Namespace

import pytest
from small_training import QUICK, network, rows, two_batches

from gapscope.config import Train
from gapscope.errors import InputError
from gapscope.training.logs import MetricLogs, check_installed
from gapscope.training.processes import make_fabric
from gapscope.training.train import Training

pytestmark = pytest.mark.slow

SETTINGS = {"epochs": 2, "augment": {"flip": 0.5}, "loggers": ["x"]}
KEY = "0123456789abcdef" * 4


def log_twice(name: str, folder) -> None:
    """A training that is interrupted after its first epoch and goes on."""
    for epoch in (1, 2):
        with MetricLogs([name], folder, "study/u-real/seed0", KEY, SETTINGS) as logs:
            logs.log({"epoch": epoch, "loss": 3.0 / epoch, "val_map50": None if epoch == 1 else 0.5})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_shows_every_epoch_of_a_training(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = Train(**QUICK | {"epochs": 2, "loggers": ["tensorboard"]})
    scores = iter([0.1, 0.2])
    with MetricLogs(config.loggers, tmp_path, "s/a/seed0", KEY, config.model_dump()) as logs:
        given = make_fabric(config), network(), two_batches, 2, lambda _: next(scores), config
        Training(*given, folder=tmp_path, key="k", logs=logs).run()
    events = EventAccumulator(str(tmp_path / "tensorboard" / KEY[:16]))
    events.Reload()
    assert [(one.step, pytest.approx(one.value)) for one in events.Scalars("val_map50")] == [(1, 0.1), (2, 0.2)]
    assert [one.value for one in events.Scalars("loss")] == pytest.approx([row["loss"] for row in rows(tmp_path)])


def test_wandb_goes_on_with_the_run_of_the_same_training(tmp_path, monkeypatch):
    calls = []

    def init(**options) -> Namespace:
        calls.append(("init", options["id"], options["resume"], options["name"], options["config"]))
        return Namespace(
            log=lambda metrics, step: calls.append(("log", metrics, step)),
            finish=lambda exit_code: calls.append(("finish", exit_code)),
        )

    pretend_installed(monkeypatch, "wandb", init=init)
    log_twice("wandb", tmp_path)
    started = ("init", KEY[:16], "allow", "study/u-real/seed0", SETTINGS)
    assert calls == [
        started,
        ("log", {"loss": 3.0}, 1),
        ("finish", 0),
        started,
        ("log", {"loss": 1.5, "val_map50": 0.5}, 2),
        ("finish", 0),
    ]


def test_mlflow_goes_on_with_the_run_of_the_same_training(tmp_path, monkeypatch):
    calls = []

    class Client:
        def create_run(self, experiment_id, run_name, tags):
            calls.append(("create", experiment_id, run_name, tags))
            return Namespace(info=Namespace(run_id="r7"))

        def __getattr__(self, name):
            return lambda *given, **named: calls.append((name, *given, *named.values()))

    def set_experiment(experiment_name: str) -> Namespace:
        return Namespace(experiment_id=f"experiment {experiment_name}")

    pretend_installed(monkeypatch, "mlflow", MlflowClient=Client, set_experiment=set_experiment)
    log_twice("mlflow", tmp_path)
    assert calls[0] == ("create", "experiment study", "study/u-real/seed0", {"gapscope.key": KEY})
    assert [call for call in calls if call[0] == "log_param"] == [("log_param", "r7", *one) for one in SETTINGS.items()]
    assert [call[1:] for call in calls if call[0] == "log_metric"] == [
        ("r7", "loss", 3.0, 1),
        ("r7", "loss", 1.5, 2),
        ("r7", "val_map50", 0.5, 2),
    ]
    assert [call for call in calls if call[0] in ("create", "set_terminated")][1:] == [
        ("set_terminated", "r7", "FINISHED")
    ] * 2


def pretend_installed(monkeypatch, name: str, **content) -> None:
    module = types.ModuleType(name)
    vars(module).update(content)
    module.__spec__ = types.SimpleNamespace(name=name)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_training_that_fails_is_said_to_have_failed(tmp_path, monkeypatch):
    ends = []
    run = Namespace(log=lambda *_, **__: None, finish=lambda exit_code: ends.append(exit_code))
    pretend_installed(monkeypatch, "wandb", init=lambda **_: run)
    with pytest.raises(RuntimeError), MetricLogs(["wandb"], tmp_path, "s/a/seed0", KEY, {}) as logs:
        logs.log({"epoch": 1, "loss": 1.0})
        raise RuntimeError
    assert ends == [1]


def test_a_logger_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("gapscope.training.logs.find_spec", lambda name: None if name == "mlflow" else object())
    check_installed(["tensorboard"])
    with pytest.raises(InputError, match=r"loggers: 'mlflow' is not installed.*pip install 'gapscope\[mlflow\]'"):
        check_installed(["tensorboard", "mlflow"])
