"""How much processor time do a run's figures take: from nothing, after one title has changed, and where nothing has?

Works on a copy of a finished run. Another checkout of gapscope can be measured beside this one, in turn, so that both
see the same machine.

    python benchmarks/figures.py runs/demo
    python benchmarks/figures.py runs/demo --against ../before --rounds 2
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[1]


def main() -> None:
    """Copy, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run; it is only read")
    parser.add_argument("--against", type=Path, help="another checkout of gapscope")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--command", default="figures", choices=("figures", "report", "status"))
    asked = parser.parse_args()
    checkouts = [HERE] if asked.against is None else [asked.against.resolve(), HERE]
    for number in range(asked.rounds):
        for checkout in checkouts:
            with tempfile.TemporaryDirectory() as folder:
                run = Path(folder) / "run"
                left_out = shutil.ignore_patterns("paper", "figures")
                shutil.copytree(asked.run, run, ignore=left_out)
                seconds = [measured(checkout, run, asked.command)]
                seconds.append(measured(checkout, run, asked.command))
                config = run / "experiment.resolved.toml"
                text = config.read_text(encoding="utf-8")
                config.write_text(text.replace('title = "F-', 'title = "Frozen '), encoding="utf-8")
                seconds.append(measured(checkout, run, asked.command))
            names = ("from nothing", "nothing changed", "one title changed")
            said = ", ".join(f"{name} {spent:.1f}" for name, spent in zip(names, seconds, strict=True))
            print(f"round {number}, {checkout.name}: seconds of processor: {said}", flush=True)


def measured(checkout: Path, run: Path, command: str) -> float:
    """Seconds of processor that a command takes in a process of its own, all its threads together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run(
        [sys.executable, "-m", "gapscope", command, str(run)], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
