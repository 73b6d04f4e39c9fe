"""Slurm's commands as far as submitit uses them, over processes of this machine."""

import os
import stat
import sys
from pathlib import Path

SBATCH = """
import os, re, subprocess, sys
from pathlib import Path
place = Path({place!r})
number = str(1 + len(list(place.glob("*.job"))))
text = Path(sys.argv[-1]).read_text()
(place / f"{{number}}.job").write_text(text)
out = re.search(r"#SBATCH --output=(.+)", text)[1].replace("%j", number).replace("%t", "0").strip("'\\"")
env = os.environ | {{"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0",
                     "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here"}}
script = f"bash {{sys.argv[-1]}}; echo $? > {{place / number}}.code"
with open(out, "a") as log:
    job = subprocess.Popen(["bash", "-c", script], env=env, stdout=log, stderr=log, start_new_session=True)
(place / f"{{number}}.pid").write_text(str(job.pid))
print("Submitted batch job", number)
"""
SACCT = """
from pathlib import Path
print("JobID|State|NodeList")
for job in Path({place!r}).glob("*.job"):
    code = job.with_suffix(".code")
    ended = job.with_suffix(".cancelled").exists() and "CANCELLED by 0"
    state = "RUNNING" if not code.exists() else "COMPLETED" if code.read_text() == "0\\n" else "FAILED"
    print(job.stem, ended or state, "here", sep="|")
"""
SCANCEL = """
import os, signal, sys
from pathlib import Path
job = Path({place!r}) / sys.argv[-1]
job.with_suffix(".cancelled").touch()
os.killpg(int(job.with_suffix(".pid").read_text()), signal.SIGTERM)
"""
SRUN = """
import os, sys
arguments = sys.argv[1:]
while arguments[0].startswith("--"):
    arguments = arguments[2:] if arguments[0] in ("--output", "--error") else arguments[1:]
os.execvp(arguments[0], arguments)
"""


def install(folder: Path) -> None:
    """Write the commands; `jobs/` in the folder has what they did."""
    (folder / "jobs").mkdir(parents=True)
    commands = {"sbatch": SBATCH, "sacct": SACCT, "scancel": SCANCEL, "srun": SRUN}
    for name, text in commands.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{text.format(place=str(folder / 'jobs')) if name != 'srun' else text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def environment(folder: Path) -> dict[str, str]:
    """Where they are found."""
    return {"PATH": f"{folder}:{os.environ['PATH']}"}
