"""`--on`: which engine is meant."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gapscope.errors import InputError
from gapscope.run_folder import RunFolder
from gapscope.study.engines.engine import Engine
from gapscope.study.engines.hand_out import cores_here
from gapscope.words import did_you_mean

ENGINES = ("ray", "slurm")


@contextmanager
def open_engine(on: str, folder: RunFolder, jobs: int | None, options: Sequence[str] = ()) -> Iterator[Engine]:
    """The engine that `--on` names, which is stopped at the end, whatever happens.

    Args:
        on: `ray`, `ray=ADDRESS` or `slurm`.
        folder: The run folder, where job files of Slurm are kept.
        jobs: Most units at a time; None for what the engine thinks fit.
        options: For Slurm's sbatch, such as `partition=gpu`.

    Raises:
        InputError: If there is no such engine, it is not installed, nothing answers, or an option is no option.
    """
    name, _, address = on.partition("=")
    check_engine(on, options)
    engine: Engine
    if name == "ray":
        from gapscope.study.engines.ray_engine import RayEngine

        engine = RayEngine(address or None, cores_here(), jobs)
    else:
        from gapscope.study.engines.slurm_engine import SlurmEngine

        engine = SlurmEngine(folder.jobs, dict(option.split("=", 1) for option in options), jobs)
    try:
        yield engine
    finally:
        engine.stop()


def check_engine(on: str, options: Sequence[str] = ()) -> None:
    """Refuse what names no engine, before anything is begun.

    Raises:
        InputError: Naming it.
    """
    name, equals, address = on.partition("=")
    if name not in ENGINES:
        raise InputError(f"--on {on}: there is no such engine.{did_you_mean(name, list(ENGINES))} Take ray or slurm.")
    if equals and (name != "ray" or not address):
        raise InputError(f"--on {on}: only ray takes an address, such as ray=auto or ray=10.0.0.1:6379.")
    if options and name != "slurm":
        raise InputError(f"--slurm {options[0]}: only --on slurm has options of sbatch.")
    for option in options:
        if "=" not in option:
            raise InputError(f"--slurm {option}: give name=value, such as partition=gpu.")
