"""Commands for a whole study: demo, run, status, report."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.app import DataRoot, app

Jobs = Annotated[int, typer.Option(help="Trainings at a time, each with its share of the cores.", min=1)]
RunArgument = Annotated[Path, typer.Argument(help="A run folder, such as runs/demo.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Run folder; a run that stands there goes on.")] = Path("runs/demo"),
    quick: Annotated[bool, typer.Option("--quick", help="One seed and fewer epochs: about three minutes.")] = False,
    only: Annotated[str | None, typer.Option(help="Do one stage alone.")] = None,
    jobs: Jobs = 2,
) -> None:
    """Run the embedded study: nothing to download.

    Renders streets in three styles, trains three arms, compares them layer
    by layer. All images are generated: it shows the method, not a finding
    about photographs.

    Example: gapscope demo --quick --out runs/quick
    """
    from gapscope.progress import for_terminal
    from gapscope.study.demo import demo_experiment, demo_text
    from gapscope.study.run import run

    text = demo_text(quick=quick)
    report = run(demo_experiment(quick=quick), out, config_text=text, only=only, jobs=jobs, progress=for_terminal())
    _say_done(report, out, only)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="An experiment file, such as configs/road-vs-carla.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the experiment>.")] = None,
    only: Annotated[str | None, typer.Option(help="One stage: data train evaluate record compare report.")] = None,
    jobs: Jobs = 1,
    data_root: DataRoot = None,
) -> None:
    """Run a study, or go on with it where it stopped.

    Example: gapscope run configs/road-vs-carla.toml --data-root ~/data
    """
    from gapscope.experiment_file import read_config
    from gapscope.progress import for_terminal
    from gapscope.study.run import run as run_study

    experiment = read_config(config)
    out = out or Path("runs") / experiment.name
    text = config.read_text(encoding="utf-8")
    report = run_study(
        experiment, out, config_text=text, data_root=data_root, only=only, jobs=jobs, progress=for_terminal()
    )
    _say_done(report, out, only)


@app.command()
def status(run: RunArgument, data_root: DataRoot = None) -> None:
    """Show what of a run is done, and how good the arms are so far.

    Example: gapscope status runs/demo
    """
    from gapscope.study.status import print_status

    print_status(run, data_root)


@app.command()
def report(run: RunArgument) -> None:
    """Write tables, figures and the page of a run anew.

    A stage that is not done yet is named in its place.

    Example: gapscope report runs/demo
    """
    from gapscope.progress import for_terminal
    from gapscope.reporting.page import write_report

    print(f"report: {write_report(run, progress=for_terminal()).resolve()}")


def _say_done(report: Path, out: Path, only: str | None) -> None:
    if only in (None, "report"):
        print(f"report: {report.resolve()}")
    else:
        print(f"stage '{only}' is done in {out}; see what is left: gapscope status {out}")
