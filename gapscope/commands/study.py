"""Commands for a whole study: demo, run, status, watch, report, figures."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.announced import announced_in
from gapscope.commands.app import DataRoot, app
from gapscope.words import number_of

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
    report = run(
        demo_experiment(quick=quick),
        out,
        config_text=text,
        only=only,
        jobs=jobs,
        progress=for_terminal(),
        announce=announced_in(out),
    )
    _say_done(report, out, only)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="An experiment file, such as configs/road-vs-carla.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the experiment>.")] = None,
    only: Annotated[str | None, typer.Option(help="One stage, such as train, graft or report.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Trainings at a time, each with its share of the cores [1]; --on: units.", min=1),
    ] = None,
    data_root: DataRoot = None,
    on: Annotated[str | None, typer.Option(help="An engine that does the work: ray, ray=ADDRESS or slurm.")] = None,
    slurm: Annotated[list[str] | None, typer.Option(help="For sbatch, such as partition=gpu; once per option.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Say what would be done and why, and do nothing.")] = False,
) -> None:
    """Run a study, or go on with it where it stopped.

    Says first which finished work is done again, which setting or file
    changed, and what it took. What is replaced is kept in the run folder.

    Example: gapscope run configs/road-vs-carla.toml --data-root ~/data
    Example: gapscope run study.toml --dry
    Example: gapscope run study.toml --on slurm --slurm partition=gpu
    """
    from gapscope.experiment_file import parse_config, read_config_text
    from gapscope.progress import for_terminal

    text = read_config_text(config)
    experiment = parse_config(text, str(config))
    from gapscope.study.plan_words import everything  # imports torch: a mistake in the file does not wait for it
    from gapscope.study.run import planned, run as run_study

    out = out or Path("runs") / experiment.name
    if dry:
        print("\n".join(everything(planned(experiment, out, data_root, only))))
        return
    report = run_study(
        experiment,
        out,
        config_text=text,
        data_root=data_root,
        only=only,
        jobs=jobs,
        on=on,
        slurm=slurm or (),
        progress=for_terminal(),
        announce=announced_in(out),
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
def watch(
    run: RunArgument,
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes any free port.", min=0, max=65535)] = 8712,
    open_browser: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open a browser; left out: where there is a screen.")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Show a run in the browser while it goes on.

    Stages, training curves and the report so far, on this machine alone
    (127.0.0.1). It only reads. End it with Ctrl-C: the run goes on.

    Example: gapscope watch runs/demo
    """
    import webbrowser

    from gapscope.watching.watch import has_screen, watch

    def ready(url: str) -> None:
        print(f"watching {run} at {url} - Ctrl-C ends the watching, not the run", flush=True)
        if has_screen() if open_browser is None else open_browser:
            webbrowser.open(url)

    try:
        watch(run, port, data_root, ready)
    except KeyboardInterrupt:  # how watching is meant to end
        print(f"no longer watching; what is done so far: gapscope status {run}")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run folder; several are shown side by side on one page.")],
    out: Annotated[Path | None, typer.Option(help="Of several runs: the page; default several.html.")] = None,
    title: Annotated[
        list[str] | None, typer.Option(help="Of several runs: what to call each, in their order; give it once per run.")
    ] = None,
) -> None:
    """Write tables, figures and the page of a run anew.

    A stage that is not done yet is named in its place. Several runs become
    one page that compares them; nothing in their folders is changed.

    Example: gapscope report runs/demo
    Example: gapscope report runs/width1 runs/width2 --out widths.html
    """
    from gapscope.errors import InputError
    from gapscope.progress import for_terminal

    if len(runs) > 1:
        from gapscope.several.several_page import write_several

        page = write_several(runs, out or Path("several.html"), titles=title or (), progress=for_terminal())
        print(f"{len(runs)} runs side by side: {page.resolve()}")
        return
    if out is not None or title:
        raise InputError("--out and --title are for several runs, but one is given. Its page is its report.html.")
    from gapscope.several.report import write_report

    page = write_report(runs[0], progress=for_terminal(), told=lambda redrawn: print(f"figures: {redrawn}"))
    _say_answers(runs[0])
    print(f"report: {page.resolve()}")


class Columns(StrEnum):
    """How wide figures are."""

    one = "one"
    two = "two"
    both = "both"


class Estimator(StrEnum):
    """Which CKA figures show."""

    debiased = "debiased"
    biased = "biased"
    both = "both"


@app.command()
def figures(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Where to; default: paper in the run folder.")] = None,
    columns: Annotated[Columns, typer.Option(help="3.3 inches wide, 7 inches wide, or both.")] = Columns.both,
    format: Annotated[str, typer.Option(help="Of pdf, png and svg, with commas between.")] = "pdf,png",
    estimator: Annotated[Estimator, typer.Option(help="biased is the paper's.")] = Estimator.debiased,
    only: Annotated[str, typer.Option(help="Figures by number or name, or tables: 1,4,effect.")] = "",
) -> None:
    """Write a run's figures and tables as they go into a paper.

    Figures 1-7 as in the paper and further ones, at the width of one or two
    columns, with captions; tables as LaTeX, Markdown and CSV, also beside
    the paper's numbers.

    Example: gapscope figures runs/demo --only 1,4,effect --columns one
    """
    from gapscope.paper.paper_output import write_paper_output
    from gapscope.progress import for_terminal

    written = write_paper_output(
        run,
        out,
        columns=columns.value,
        formats=_parts(format),
        estimator=estimator.value,
        only=_parts(only),
        progress=for_terminal(),
    )
    figures_written, tables_written = number_of(written.figures, "figure"), number_of(written.tables, "table")
    print(
        f"{figures_written} ({written.redrawn}) and {tables_written} in {written.out}; captions: figures.tex, "
        "captions.md"
    )


def _parts(text: str) -> list[str]:
    """`1, 4` as ['1', '4']."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _say_done(report: Path, out: Path, only: str | None) -> None:
    if only in (None, "report"):
        _say_answers(out)
        print(f"report: {report.resolve()}")
    else:
        print(f"stage '{only}' is done in {out}; see what is left: gapscope status {out}")


def _say_answers(run: Path) -> None:
    """The answers of the report, as the page has them."""
    from gapscope.paper.verdict_files import verdict_lines

    print("\n".join(verdict_lines(run)))
