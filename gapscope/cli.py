"""The commands: each reads its arguments, calls one function, says where the result went and what to do next."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gapscope.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train one detector on real and on synthetic images, and see where inside the network the difference lives.",
)

WRONG_ARGUMENTS: Any = typer.BadParameter.__mro__[2]
"""The class of all complaints about arguments (click's ClickException), which typer does not export."""

DataRoot = Annotated[
    Path | None,
    typer.Option(envvar="GAPSCOPE_DATA", help="Folder that relative 'root' entries of the experiment start at."),
]
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


@app.command()
def layers(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 5,
    width: Annotated[float, typer.Option(help="Factor on the number of channels.")] = 1.0,
    size: Annotated[int, typer.Option(help="Side of the input in pixels.")] = 416,
) -> None:
    """Print YOLOv3's 107 layers: type, channels, stride, inputs, features.

    Example: gapscope layers --width 0.25 --size 160
    """
    from gapscope.detector.layers import yolov3_layers

    print(f"{'layer':>5}  {'type':8}  {'channels':>8}  {'kernel':>6}  {'stride':>6}  {'from':>8}  {'features':>9}")
    for layer in yolov3_layers(classes, width):
        kernel = f"{layer.size}x{layer.size}/{layer.step}" if layer.size else ""
        source = ", ".join("image" if i < 0 else str(i) for i in layer.inputs)
        line = f"{layer.index:5}  {layer.kind:8}  {layer.filters:8}  {kernel:>6}  {layer.stride:6}  {source:>8}"
        print(f"{line}  {layer.num_features(size):9}")


@app.command()
def record(
    weights: Annotated[Path, typer.Argument(help="A weights.safetensors file of a run.")],
    images: Annotated[Path, typer.Option(help="Folder of images that the network looks at, in order of name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the recording goes (.nc).")],
    size: Annotated[int, typer.Option(help="Input size in pixels, a multiple of 32.")] = 416,
    memory: Annotated[str, typer.Option(help="Live tensors above this spill to disk.")] = "8GiB",
) -> None:
    """Record what every layer makes of a folder of images.

    Example: gapscope record runs/demo/arms/u-real/seed0/weights.safetensors
    --images photos --size 416 -o real.nc
    """
    from gapscope.progress import for_terminal
    from gapscope.recording.files import record_files

    recording = record_files(weights, images, size=size, memory=memory, progress=for_terminal())
    recording.save(out)
    counts = f"{len(recording.images)} images, {len(recording.layers)} layers"
    print(f"{counts} -> {out}; compare it with another: gapscope compare A.nc B.nc")


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A recording.")],
    b: Annotated[Path, typer.Argument(help="Another recording, over the same images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the grid goes (.nc).")] = Path("grid.nc"),
) -> None:
    """Compare two networks layer by layer, from their recordings.

    Prints the mean similarity (1: the same images are alike to both; 0:
    nothing in common) of all layers, the backbone and the head.

    Example: gapscope compare real.nc synthetic.nc -o grid.nc
    """
    from gapscope.recording.recording import read_recording
    from gapscope.similarity import compare as similarity
    from gapscope.similarity.summary import diagonal_means

    grid = similarity.compare(read_recording(a), read_recording(b))
    similarity.write_similarity(grid, out)
    for measure, name in (("cka_debiased", "debiased"), ("cka_biased", "biased, as in the paper")):
        means = diagonal_means(grid, measure)
        print(f"CKA ({name}): all {means.all:.4f}, backbone {means.backbone:.4f}, head {means.head:.4f}")
    print(f"all {grid.sizes['layer_a']} x {grid.sizes['layer_b']} layers, floor and intervals are in {out}")


def _say_done(report: Path, out: Path, only: str | None) -> None:
    if only in (None, "report"):
        print(f"report: {report.resolve()}")
    else:
        print(f"stage '{only}' is done in {out}; see what is left: gapscope status {out}")


def main() -> None:
    """Exit codes: 0 done, 1 a bug of ours, 2 something the user can fix, 130 interrupted."""
    try:
        app(standalone_mode=False)
    except InputError as error:
        print(f"gapscope: {error}", file=sys.stderr)
        sys.exit(2)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("gapscope: interrupted; the same command goes on where this one stopped.", file=sys.stderr)
        sys.exit(130)
    except WRONG_ARGUMENTS as error:
        error.show()
        sys.exit(2)


if __name__ == "__main__":
    main()
