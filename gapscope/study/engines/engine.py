"""What an engine is: a place that does units of work and tells how each ended. The run folder stays the truth."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from gapscope.errors import InputError
from gapscope.shortage import is_out_of_memory, told_of_shortage
from gapscope.study.study import Study
from gapscope.study.units import Unit, UnitKeys

Ending = Literal["done", "refused", "failed", "lost"]
"""Well; by an error that the user can mend; by one of ours; or without a word, as when a machine goes down."""


class Share(NamedTuple):
    """What one unit is given."""

    gpus: float
    cpus: int
    """Cores, and so threads."""
    memory: int
    """In bytes; 0 if it is not looked at."""


@dataclass(frozen=True)
class Job:
    """One unit of work, with all that another process needs to do it: paths and settings, no data."""

    unit: Unit
    keys: UnitKeys
    study: Study
    share: Share
    home: Path
    """The working folder, from which relative paths of the experiment count."""


class End(NamedTuple):
    """How a job ended."""

    unit: str
    how: Ending
    seconds: float = 0.0
    message: str = ""


class Engine(Protocol):
    """Where jobs are done. Engines know nothing of stages, keys or what waits for what."""

    name: str
    gpus: bool | None
    """Whether its machines have GPUs; None if that cannot be known."""

    cores: int
    """That a unit is given if [resources] does not say."""

    def room(self) -> int:
        """How many more jobs may be started now."""

    def start(self, job: Job) -> None:
        """Begin a job, or queue it.

        Raises:
            InputError: If it can never be done there.
        """

    def ended(self, seconds: float) -> End | None:
        """A job that has ended and was not told of before; waits for one that long."""

    def stop(self) -> None:
        """End what still runs, giving trainings the time to save a checkpoint, and leave nothing behind."""


def do_job(job: Job) -> End:
    """Do a unit here, in the process that an engine has chosen, and tell how it ended; its errors are not raised."""
    started = time.perf_counter()

    def ended(how: Ending, message: str = "") -> End:
        return End(job.unit.name, how, time.perf_counter() - started, message)

    try:
        with _heard_as_ctrl_c():
            _settle(job)
            job.unit.work(job.study, job.keys)
    except InputError as error:
        return ended("refused", str(error))
    except KeyboardInterrupt:
        return ended("lost", "it was asked to end")
    except Exception as error:
        if is_out_of_memory(error):
            return ended("lost", f"the memory of its machine did not suffice ({error})")
        said = told_of_shortage(error)
        return ended("failed", traceback.format_exc()) if said is None else ended("refused", said)
    return ended("done")


@contextmanager
def _heard_as_ctrl_c() -> Iterator[None]:
    """SIGTERM, which a scheduler sends, is meant as Ctrl-C is: a training saves a checkpoint first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _settle(job: Job) -> None:
    """Make this process the place that the job was promised.

    Raises:
        InputError: If the working folder is not here, or there are fewer GPUs than were asked for.
    """
    import torch

    from gapscope.recording.crew import keep_process_to

    try:
        os.chdir(job.home)
    except OSError as error:
        raise InputError(
            f"{job.home}: this machine does not have the folder in which the study was started ({error.strerror}). "
            "All machines must see it, and the run folder, under the same path."
        ) from None
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if job.share.gpus > there:
        raise InputError(
            f"{job.unit.name} was to have {job.share.gpus:g} GPU(s), and PyTorch finds {there} on its machine. It "
            "would run on the CPU in silence. Install a PyTorch that knows the GPUs there, or set gpus = 0 in "
            f"[resources.{job.unit.stage}] and device = 'cpu' in [train]."
        )
    keep_process_to(job.share.cpus)
