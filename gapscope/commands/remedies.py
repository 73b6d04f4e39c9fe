"""Commands for closing a gap: remedies."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.announced import announced_in
from gapscope.commands.app import DataRoot, app
from gapscope.words import number_of


@app.command()
def remedies(
    config: Annotated[Path, typer.Argument(help="An experiment file with a real and a synthetic arm.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the experiment>.")] = None,
    budget: Annotated[
        list[int] | None, typer.Option(help="Labelled real images to be tried with training. Repeat it.", min=1)
    ] = None,
    block: Annotated[str, typer.Option(help="Layers that are fine-tuned alone too, such as 62-74.")] = "",
    teacher: Annotated[
        bool, typer.Option("--teacher", help="Try a mean teacher, which trains on unlabelled real images too.")
    ] = False,
    network: Annotated[
        str, typer.Option(help="Of several networks the one whose arms are meant; left out, each with a gap.")
    ] = "",
    write: Annotated[
        Path | None, typer.Option(help="Write the file with the plan's arms there, and do nothing.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trainings at a time, each with its share of the cores.", min=1)] = 1,
    data_root: DataRoot = None,
) -> None:
    """Try what may close the gap of a study, and rank it by what it brings.

    Adds arms to the study: BatchNorm statistics of unlabelled real images and
    averages of weights, which need no training; with --budget also few real
    images alone, mixed and for fine-tuning, each with adapted statistics too.
    Runs what is missing and prints AP points regained, the share of the gap
    that is closed, the cost, and how many labelled images make synthetic ones
    useless.

    Example: gapscope remedies study.toml
    Example: gapscope remedies study.toml --budget 100 --budget 300 --write tried.toml
    """
    from gapscope.experiment_file import parse_config, read_config_text
    from gapscope.study.remedy_plan import with_remedies

    text, added = with_remedies(
        read_config_text(config), str(config), budgets=budget or (), block=block, teacher=teacher, network=network
    )
    if write is not None:
        from gapscope.files import write_text

        write_text(write, text)
        print(
            f"{number_of(len(added), 'arm')} added: {', '.join(added)}"
            if added
            else "all arms of the plan are there already"
        )
        print(f"run it with: gapscope run {write}")
        return
    from rich.console import Console

    from gapscope.findings.budgets import ends_sentence
    from gapscope.findings.remedy_table import remedy_notes, remedy_tables
    from gapscope.findings.run_numbers import run_numbers
    from gapscope.findings.run_reader import read_results
    from gapscope.progress import for_terminal
    from gapscope.study.run import run

    experiment = parse_config(text, str(config))
    out = out or Path("runs") / experiment.name
    report = run(
        experiment,
        out,
        config_text=text,
        data_root=data_root,
        jobs=jobs,
        progress=for_terminal(),
        announce=announced_in(out),
    )
    results, console = read_results(out), Console()
    for one in results.by_network:
        numbers = run_numbers(one)
        if len(results.networks) > 1 and numbers.remedies:
            print(f"{results.network_title(one.network)}:")
        for table in remedy_tables(numbers):
            console.print(table)
        for end in (ends_sentence(one, curves, end) for curves in numbers.budgets for end in curves.ends):
            print(end)
        if numbers.remedies:
            print(f"all numbers: {one.page_folder.tables / 'table8.csv'}")
    for line in remedy_notes():
        print(line)
    print(f"the report: {report}")
