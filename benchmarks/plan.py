"""Does a recording take the memory, disk and time that its plan says?

    python benchmarks/plan.py                                    2,000 images at 96 pixels with 4 GiB, a thin network
    python benchmarks/plan.py --images 200 --size 416 --width 1 --memory 4GiB

A network with random weights looks at images of smooth noise. Memory is what the process holds of its own at most (not
the mapped files, which the system takes back as it needs), beyond what it held before the recording; disk is what it
wrote to mapped files, as the system counts it (files in memory, as /tmp is on some machines, are not counted).
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import torch
from cka import GIB, awake_network, smooth_noise

from gapscope.recording.estimate import estimate_seconds
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.live_tensors import parse_memory
from gapscope.recording.schedule import Schedule


def own_memory() -> int:
    """Bytes of this process's own memory; mapped files do not count."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def written() -> int:
    """Bytes that this process has given the system to store so far."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"])


class Watch:
    """Looks at this process's memory again and again."""

    def __init__(self) -> None:
        self.most = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.stop.wait(0.02):
            self.most = max(self.most, own_memory())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96, help="side of the images, pixels")
    parser.add_argument("--width", type=float, default=0.25, help="factor on the channels; 1 is YOLOv3")
    parser.add_argument("--memory", default="4GiB", help="what live activations and working copies may take")
    options = parser.parse_args()
    network = awake_network(options.width, options.size, 0, "cpu").to(memory_format=torch.channels_last)
    images = smooth_noise(options.images, options.size)
    schedule = Schedule(network.table, options.images, options.size, parse_memory(options.memory), torch.device("cpu"))
    cost = schedule.cost()
    seconds = estimate_seconds(network, schedule, cost)
    print(f"{options.images} images at {options.size} px, width {options.width}, memory {options.memory}")
    print(f"activations, all kept: {cost.everything / GIB:.2f} GiB; {torch.get_num_threads()} threads")
    record_by_layers(network, images[:8], size=options.size)

    before, wrote, started = own_memory(), written(), time.perf_counter()
    processor = time.process_time()
    with Watch() as watch:
        recording = record_by_layers(network, images, size=options.size, memory=options.memory)
    wall, processor, wrote = time.perf_counter() - started, time.process_time() - processor, written() - wrote
    with tempfile.TemporaryDirectory() as folder:
        recording.save(Path(folder) / "recording.nc")
        file = (Path(folder) / "recording.nc").stat().st_size
    print("                     planned    measured")
    for name, planned, measured in (
        ("memory", cost.memory, watch.most - before),
        ("disk, on the way", cost.disk, wrote),
        ("the recording", cost.file, file),
    ):
        share = measured / planned if planned else 1
        print(f"{name:18s} {planned / GIB:6.2f} GiB  {measured / GIB:6.2f} GiB  ({share:.2f})")
    print(f"{'time':18s} {seconds:6.0f} s    {wall:6.0f} s    ({wall / seconds:.2f}; processor time {processor:.0f} s)")


if __name__ == "__main__":
    main()
