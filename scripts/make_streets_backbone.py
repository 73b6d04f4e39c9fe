"""A finished run of configs/streets-backbone.toml -> the backbone file that comes with gapscope.

gapscope run configs/streets-backbone.toml
python scripts/make_streets_backbone.py runs/streets-backbone
"""

import json
import sys
from pathlib import Path

import torch

from gapscope.detector.weights import load_weights, save_weights
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.study import STREETS_BACKBONE


def main(run: Path) -> None:
    folder = RunFolder(run)
    summary = json.loads((folder.training_summary(RunName("base", 0))).read_text())
    provenance = {
        "experiment": "configs/streets-backbone.toml",
        "data_fingerprint": json.loads((folder.summary("game")).read_text())["fingerprint"],
        "best_epoch": str(summary["best_epoch"]),
        "best_val_map50": f"{summary['best_val_map50']:.4f}",
        "weights_sha256": summary["weights_sha256"],
    }
    network = load_weights(folder.weights(RunName("base", 0)))
    save_weights(network, STREETS_BACKBONE, provenance, dtype=torch.float16, layers=range(75))
    print(f"{STREETS_BACKBONE}: {STREETS_BACKBONE.stat().st_size} bytes, {provenance}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
