"""Units of work on Ray: on this machine, or on a cluster that is there."""

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.study.engines.engine import End, Job, do_job

OBJECT_STORE = 100 * 2**20
"""Bytes for Ray's store of objects. Jobs hold paths and settings alone; by itself Ray would take 30 % of the memory."""
LONGEST_FOLDER = 40
"""Letters of the folder in which Ray keeps its sockets, whose whole paths may not exceed 107."""
PREFIX = "gs-ray-"
OTHER_CODE = (
    "its worker could not begin it, as when it has another gapscope than the command, or the code was changed "
    "meanwhile. Give the same command again; on a cluster, install the same version everywhere."
)
SECONDS_TO_END = 30.0
"""How long a job that is to stop may take to save what it has."""


class RayEngine:
    """An engine over Ray's tasks.

    Retries are not Ray's: it would begin what ran out of memory again without end. Usage statistics are off.

    Args:
        address: Of a cluster that is there, such as `auto` or `10.0.0.1:6379`; None starts Ray on this machine alone.
        cores: Of this machine, if Ray is started on it.
        jobs: Most jobs at a time; None for as many as the cluster has cores.

    Raises:
        InputError: If Ray is not installed, or no cluster answers.
    """

    name = "ray"

    def __init__(self, address: str | None, cores: int, jobs: int | None) -> None:
        self._ray = _ray()
        self._own: Path | None = None
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        logging.getLogger("ray").setLevel(logging.ERROR)
        if address is None:
            self._own = _folder_for_sockets()
            self._ray.init(
                address="local",
                num_cpus=cores,
                object_store_memory=OBJECT_STORE,
                include_dashboard=False,
                _temp_dir=str(self._own),
                **quiet,
            )
        else:
            try:
                self._ray.init(address=address, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                reason = str(error).strip().splitlines()[0]
                raise InputError(
                    f"--on ray={address}: no Ray cluster answers there ({reason}). Start one with 'ray start --head', "
                    "or leave the address out to use this machine."
                ) from None
        there = self._ray.cluster_resources()
        self.gpus: bool | None = there.get("GPU", 0) > 0
        self.cores = max(1, cores // (jobs or 1)) if address is None else 1
        self._there = there
        self._most = jobs or max(1, int(there.get("CPU", 1)))
        self._running: dict[Any, str] = {}

    def room(self) -> int:
        return self._most - len(self._running)

    def start(self, job: Job) -> None:
        share = job.share
        for name, wanted in (("CPU", share.cpus), ("GPU", share.gpus), ("memory", share.memory)):
            if wanted > self._there.get(name, 0):
                raise InputError(
                    f"[resources.{job.unit.stage}]: {job.unit.name} wants {wanted:g} of {name}, and the whole cluster "
                    f"has {self._there.get(name, 0):g}: it would wait for ever. Lower it, or add a machine."
                )
        options: dict[str, Any] = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 0}
        if share.memory:
            options["memory"] = share.memory
        task = self._ray.remote(do_job).options(name=job.unit.name, **options)
        self._running[task.remote(job)] = job.unit.name

    def ended(self, seconds: float) -> End | None:
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        if not ready:
            return None
        unit = self._running.pop(ready[0])
        try:
            end: End = self._ray.get(ready[0])
            return end
        except self._ray.exceptions.OutOfMemoryError:
            return End(unit, "lost", message="its machine ran out of memory, and Ray ended it")
        except self._ray.exceptions.RayTaskError as error:  # it could not be begun: all else that it raises is told
            return End(unit, "failed", message=f"{error}\n{OTHER_CODE}")
        except self._ray.exceptions.RayError as error:
            return End(unit, "lost", message=f"its process or machine went down ({type(error).__name__})")

    def stop(self) -> None:
        """End what still runs; a Ray of this machine ends with it."""
        for task in self._running:
            self._ray.cancel(task, force=False)  # as Ctrl-C would: a training saves a checkpoint first
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=SECONDS_TO_END)
        self._running.clear()
        self._ray.shutdown()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


def _ray() -> Any:
    """Ray, told to keep to itself before it is imported.

    Raises:
        InputError: If it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # by itself 15: last in line behind all else on a shared machine
    try:
        import ray
    except ImportError:
        raise InputError("--on ray needs Ray, which is not installed: pip install 'gapscope[ray]'.") from None
    return ray


def _folder_for_sockets() -> Path:
    """A new folder of this user's own, with a short path: Ray's usual one belongs to whoever came first.

    Those of processes that were killed are removed.
    """
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) <= LONGEST_FOLDER else "/tmp")
    for old in place.glob(f"{PREFIX}*-*"):
        process = old.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdigit() and not _lives(int(process)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
