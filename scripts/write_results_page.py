"""A finished run -> the tables, figures and facts of a results page; the words around them are written by hand.

    python scripts/write_results_page.py runs/road-vs-carla docs/results/road-vs-carla

Copies the figures into the folder and prints Markdown.
"""

import json
import shutil
import sys
from pathlib import Path

from gapscope.config import Experiment
from gapscope.experiment_file import read_config
from gapscope.run_folder import STAGES, RunFolder, RunName

FIGURES = ("figure1", "figure1-paper", "figure2", "figure3", "figure4", "figure5", "figure6", "figure7")


def main(run: Path, pictures: Path) -> None:
    folder = RunFolder(run)
    experiment = read_config(folder.config)
    print("\n".join([*facts(run), "", *data(run, experiment), "", *training(folder, experiment)]))
    for number in range(1, 6):
        print("\n" + (run / f"tables/table{number}.md").read_text().strip())
    pictures.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        shutil.copy(run / f"figures/{name}.png", pictures / f"{name}.png")
        print(f"\n![{name}]({pictures.name}/{name}.png)")


def facts(run: Path) -> list[str]:
    """Where, when and how long."""
    place = json.loads((run / "environment.json").read_text())
    records = [json.loads(path.read_text()) for path in RunFolder(run).record_files()]
    seconds = {stage: sum(r["seconds"] for r in records if r["unit"].split("/")[0] == stage) for stage in STAGES}
    lines = ["| | |", "|---|---|"]
    lines += [
        f"| {key} | {place[key]} |" for key in ("started", "commit", "gapscope", "python", "torch", "device", "cores")
    ]
    return lines + [f"| seconds, stage {stage} | {total:.0f} |" for stage, total in seconds.items()]


def data(run: Path, experiment: Experiment) -> list[str]:
    """Images, boxes and leaks per domain."""
    lines = ["| domain | train / val / test images | boxes | ignored | removed | leaks |", "|---|---|---|---|---|---|"]
    for name in experiment.domains:
        summary = json.loads((run / f"data/{name}/summary.json").read_text())
        images = " / ".join(str(n) for n in summary["images"].values())
        boxes = "; ".join(
            f"{split} " + ", ".join(f"{label} {n}" for label, n in counts.items())
            for split, counts in summary["boxes"].items()
        )
        leaks = {key: value for key, value in summary["leaks"].items() if key != "examples"}
        lines.append(f"| {name} | {images} | {boxes} | {summary['ignored']} | {summary['removed']} | {leaks} |")
    return lines


def training(folder: RunFolder, experiment: Experiment) -> list[str]:
    """Epochs, best validation mAP and the frozen part of every run."""
    lines = ["| arm | seed | epochs | best epoch | val mAP@0.5 | frozen part unchanged | seconds |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in experiment.arms:
        for seed in experiment.seeds:
            s = json.loads((folder.training_summary(RunName(name, seed))).read_text())
            frozen = "" if not s["freeze"] else str(s["frozen_hash_before"] == s["frozen_hash_after"])
            best = f"{s['best_epoch']} | {s['best_val_map50']:.3f}"
            lines.append(f"| {name} | {seed} | {s['epochs']} | {best} | {frozen} | {s['seconds']:.0f} |")
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
