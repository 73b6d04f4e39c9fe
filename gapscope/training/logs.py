"""Metrics for the tools that people watch trainings with: TensorBoard, Weights & Biases, MLflow."""

from argparse import Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from lightning_fabric.loggers import Logger, TensorBoardLogger

from gapscope.errors import InputError


def check_installed(names: Sequence[str]) -> None:
    """Refuse loggers whose packages are not there.

    Raises:
        InputError: Naming the extra to install.
    """
    for name in names:
        if find_spec(name) is None:
            raise InputError(
                f"[train] loggers: '{name}' is not installed. Install it with: pip install 'gapscope[{name}]', or "
                "take it out of the list."
            )


class MetricLogs:
    """All loggers of a training; nothing is opened before the first line.

    Args:
        names: Of `tensorboard`, `wandb`, `mlflow`.
        folder: Where the training lives; local files of the loggers go there.
        title: Names the training where several are looked at, such as `study/u-real/seed0`.
        key: What the training is made from. A training that goes on goes on in the same log.
        settings: What is logged once, beside the metrics.

    Raises:
        InputError: If a logger is not installed.
    """

    def __init__(self, names: Sequence[str], folder: Path, title: str, key: str, settings: dict[str, Any]) -> None:
        check_installed(names)
        self.loggers = [LOGGERS[name](folder, title, key) for name in names]
        self.settings = settings
        self.begun = False

    def log(self, row: dict[str, Any]) -> None:
        """Log a line of metrics.jsonl under its epoch; values that are not there are left out."""
        numbers = {name: float(value) for name, value in row.items() if name != "epoch" and value is not None}
        for logger in self.loggers:
            if not self.begun:
                logger.log_hyperparams(self.settings)
            logger.log_metrics(numbers, step=row["epoch"])
        self.begun = True

    def close(self, status: str) -> None:
        """Say how the training ended: `success` or `aborted`."""
        if self.begun:
            for logger in self.loggers:
                logger.finalize(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("success" if kind is None else "aborted")


class WandbLogger(Logger):
    """Weights & Biases. Which project, account and mode is its own business: `WANDB_PROJECT`, `WANDB_MODE`, ..."""

    def __init__(self, folder: Path, title: str, key: str) -> None:
        self.folder, self.title, self.key = folder, title, key
        self.run: Any = None

    @property
    def name(self) -> str:
        return self.title

    @property
    def version(self) -> str:
        return self.key[:16]

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        import wandb

        self.run = wandb.init(
            dir=self.folder,
            name=self.title,
            id=self.version,
            resume="allow",
            config=dict(params),
            reinit="finish_previous",
        )

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.run.log(metrics, step=step)

    def finalize(self, status: str) -> None:
        self.run.finish(exit_code=0 if status == "success" else 1)


class MlflowLogger(Logger):
    """MLflow, in an experiment named after the study. Which server is its own business: `MLFLOW_TRACKING_URI`, ..."""

    def __init__(self, folder: Path, title: str, key: str) -> None:
        self.remembered = folder / "mlflow_run.txt"
        self.title, self.key = title, key
        self.client: Any = None
        self.run_id = ""

    @property
    def name(self) -> str:
        return self.title

    @property
    def version(self) -> str:
        return self.key[:16]

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        import mlflow

        self.client = mlflow.MlflowClient()
        before = self.remembered.read_text().split() if self.remembered.exists() else []
        if before[:1] == [self.version]:
            self.run_id = before[1]
            return
        experiment = mlflow.set_experiment(experiment_name=self.title.split("/")[0])
        run = self.client.create_run(experiment.experiment_id, run_name=self.title, tags={"gapscope.key": self.key})
        self.run_id = run.info.run_id
        self.remembered.write_text(f"{self.version} {self.run_id}\n")
        for name, value in dict(params).items():
            self.client.log_param(self.run_id, name, value)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self.client.log_metric(self.run_id, name, value, step=step)

    def finalize(self, status: str) -> None:
        self.client.set_terminated(self.run_id, "FINISHED" if status == "success" else "KILLED")


def _tensorboard(folder: Path, title: str, key: str) -> Logger:
    return TensorBoardLogger(folder, name="tensorboard", version=key[:16], default_hp_metric=False)


LOGGERS = {"tensorboard": _tensorboard, "wandb": WandbLogger, "mlflow": MlflowLogger}
"""By their names in the experiment file, which are also those of the packages and of gapscope's extras."""
