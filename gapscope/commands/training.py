"""Commands for one training by hand: train (one arm and seed, say one per GPU or machine of a cluster)."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.announced import announced_in
from gapscope.commands.app import DataRoot, app


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="An experiment file, such as configs/paper.toml.")],
    arm: Annotated[str, typer.Option(help="Which of its arms.")],
    seed: Annotated[int, typer.Option(help="Which of its seeds.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the experiment>.")] = None,
    data_root: DataRoot = None,
) -> None:
    """Train one arm of a study with one seed, or go on with it.

    The data stage, and the arm that it starts from, are done first if they
    are not. Trainings of several arms and seeds may share a run folder, one
    per GPU or machine; 'gapscope run' then does what is left.

    Example: gapscope train configs/paper.toml --arm u-real --seed 0
    """
    from gapscope.experiment_file import parse_config, read_config_text
    from gapscope.progress import for_terminal

    text = read_config_text(config)
    experiment = parse_config(text, str(config))
    from gapscope.study.run import train_one  # imports torch: a mistake in the file does not wait for it

    out = out or Path("runs") / experiment.name
    weights = train_one(
        experiment,
        out,
        arm,
        seed,
        config_text=text,
        data_root=data_root,
        progress=for_terminal(),
        announce=announced_in(out),
    )
    print(f"weights: {weights}; what is left of the study: gapscope run {config} --out {out}")
