"""Units of work as Slurm jobs, by submitit: one job each, which goes on where this command is killed."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json, write_json
from gapscope.study.engines.engine import End, Job, do_job

SECONDS_TO_END = 60.0
"""How long a job that is cancelled may take to save what it has."""
MOST_JOBS = 200
"""Jobs in the queue at a time, unless --jobs says."""
MINUTES = 24 * 60
"""Time limit of a job, unless --slurm time=... says; a training that is cut off is given again."""
OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL"}
"""States of Slurm after which nothing more is done, and those of submitit's own processes."""
OVER |= {"FINISHED", "INTERRUPTED", "NO"}


class UnitJob:
    """What a job does: its unit, and a file that says how it ended. Nothing is handed back by pickle."""

    def __init__(self, job: Job, told: Path) -> None:
        self.job, self.told = job, told

    def __call__(self) -> None:
        end = do_job(self.job)
        write_json(self.told, end._asdict())

    def checkpoint(self) -> Any:
        """For submitit, when Slurm cuts the job off: put the same job into the queue again.

        Where to go on is not in it: a training finds its newest checkpoint in the run folder.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmEngine:
    """An engine over Slurm's queue.

    A job's number is kept in the run folder with the key of its unit: a command that is given again after it was killed
    waits for the jobs that are still in the queue, instead of giving them twice.

    Args:
        folder: Of the run, for job files; all machines see it.
        options: What sbatch is told, such as `partition`, `account`, `time` (minutes); values as text.
        jobs: Most jobs in the queue at a time.
        cluster: `slurm`, or `local` for submitit's processes on this machine.
        seconds_between_looks: How often Slurm is asked about jobs.

    Raises:
        InputError: If submitit or Slurm is not there, or the time is not in minutes.
    """

    name = "slurm"
    gpus: bool | None = None
    cores = 1

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, str],
        jobs: int | None,
        *,
        cluster: str = "slurm",
        seconds_between_looks: float = 10.0,
    ) -> None:
        try:
            import submitit
        except ImportError:
            raise InputError(
                "--on slurm needs submitit, which is not installed: pip install 'gapscope[slurm]'."
            ) from None
        self._submitit, self._folder = submitit, folder.absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._executor = submitit.AutoExecutor(folder=self._folder, cluster=cluster, slurm_max_num_timeout=20)
        except RuntimeError:
            raise InputError(
                "--on slurm: there is no srun here. Give the command on a machine from which Slurm takes jobs."
            ) from None
        self._executor.update_parameters(**_named(options))
        self._most, self._pause = jobs or MOST_JOBS, seconds_between_looks
        self._cluster = cluster
        self._running: dict[str, Any] = {}

    def room(self) -> int:
        return self._most - len(self._running)

    def start(self, job: Job) -> None:
        name = job.unit.name
        earlier = self._still_queued(name, job.keys.now)
        if earlier is None:
            share = job.share
            gigabytes = {"mem_gb": -(-share.memory // 2**30)} if share.memory else {}
            gpus = {"gpus_per_node": int(-(-share.gpus // 1))} if share.gpus else {}
            self._executor.update_parameters(name=name.replace("/", "-"), cpus_per_task=share.cpus, **gigabytes, **gpus)
            self._told(name).unlink(missing_ok=True)
            try:
                earlier = self._executor.submit(UnitJob(job, self._told(name)))
            except self._submitit.core.utils.FailedJobError as error:
                said = str(error.__cause__ or error).strip().splitlines()[-1]
                raise InputError(f"--on slurm: sbatch refused the job of {name}: {said}") from None
            write_json(self._note(name), {"job": earlier.job_id, "key": job.keys.now})
        self._running[name] = earlier

    def ended(self, seconds: float) -> End | None:
        end_by = time.monotonic() + max(seconds, self._pause)
        while True:
            for unit, job in list(self._running.items()):
                end = self._end_of(unit, job)
                if end is not None:
                    del self._running[unit]
                    self._note(unit).unlink(missing_ok=True)
                    return end
            if time.monotonic() > end_by:
                return None
            time.sleep(min(1.0, self._pause))

    def stop(self) -> None:
        """Cancel what is in the queue or runs."""
        for job in self._running.values():
            job.cancel(check=False)
        end_by = time.monotonic() + SECONDS_TO_END
        while any(not _is_over(job.state) for job in self._running.values()) and time.monotonic() < end_by:
            time.sleep(1.0)
        for unit in self._running:
            self._note(unit).unlink(missing_ok=True)
        self._running.clear()

    def _end_of(self, unit: str, job: Any) -> End | None:
        told = self._told(unit)
        if told.exists():
            try:
                end = End(**read_json(told))
            except OTHER_CONTENT:
                end = End(unit, "lost", message=f"{told} cannot be read")
            told.unlink()
            return end
        state = job.state
        if not _is_over(state):
            return None
        if told.exists():  # written between the two looks
            return self._end_of(unit, job)
        return End(unit, "lost", message=f"Slurm says {state} of job {job.job_id} (its output: {job.paths.stderr})")

    def _still_queued(self, unit: str, key: str) -> Any:
        """The job that does this very unit already, if one does."""
        try:
            noted = read_json(self._note(unit))
            job_id, same = str(noted["job"]), noted["key"] == key
        except OTHER_CONTENT:
            return None
        classes = {"slurm": self._submitit.SlurmJob, "local": self._submitit.LocalJob}
        job = classes[self._cluster](self._folder, job_id) if job_id.isdigit() and same else None
        return job if job is not None and (self._told(unit).exists() or not _is_over(job.state)) else None

    def _note(self, unit: str) -> Path:
        return self._folder / f"{unit.replace('/', '--')}.json"

    def _told(self, unit: str) -> Path:
        return self._folder / f"{unit.replace('/', '--')}.end.json"


def _is_over(state: str) -> bool:
    return state.split()[0].rstrip("+") in OVER if state else False


def _named(options: Mapping[str, str]) -> dict[str, Any]:
    """Options as submitit takes them: `time` is its own, all else is written for sbatch as it is.

    Raises:
        InputError: If the time is not in whole minutes.
    """
    found: dict[str, Any] = {"timeout_min": MINUTES}
    if "time" in options:
        if not options["time"].isdigit():
            raise InputError(f"--slurm time={options['time']}: give whole minutes, such as time=600.")
        found["timeout_min"] = int(options["time"])
    others = {name: value for name, value in options.items() if name != "time"}
    return found | ({"slurm_additional_parameters": others} if others else {})
