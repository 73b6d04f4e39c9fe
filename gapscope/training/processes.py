"""Which devices train one network, and the processes that do."""

import logging
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, cast

import torch
import torch.distributed
import torch.multiprocessing
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor
from torch.nn import Module

from gapscope.config import Train
from gapscope.errors import InputError
from gapscope.interruptions import heard, leave_to_parent
from gapscope.pipes import Sender, new_pipe, received
from gapscope.progress import Progress, silent

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other, as when one of them reads images that the others have already."""
SECONDS_TO_RECEIVE = 10.0
"""How long what processes have started may outlive them, and keep their pipes open."""
PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(config: Train) -> Fabric:
    """Lightning Fabric for the devices that [train] asks for.

    Raises:
        InputError: If they are not there, or cannot do what is asked for.
    """
    check_devices(config)
    _hush()
    count = num_devices(config)
    strategy: Any = DDPStrategy(start_method="spawn", timeout=PATIENCE) if count > 1 else "auto"
    precision = PRECISIONS[config.precision]
    return Fabric(accelerator=device_kind(config), devices=count, strategy=strategy, precision=precision)


def check_devices(config: Train) -> None:
    """Refuse what the devices cannot do.

    Raises:
        InputError: If they are not there, too many for a batch, or cannot normalize together.
    """
    kind, count = device_kind(config), num_devices(config)
    if config.sync_batchnorm and (kind != "cuda" or count == 1):
        raise InputError(
            f"[train] sync_batchnorm: normalizing over the whole batch needs several GPUs, and this training has "
            f"{count} {kind} device{'s' if count > 1 else ''}. Set sync_batchnorm = false."
        )
    if count > config.batch_size:
        raise InputError(
            f"[train] batch_size = {config.batch_size}: {count} devices share each batch, so it needs at least "
            f"{count} images. Raise batch_size or lower devices."
        )


def device_kind(config: Train) -> str:
    """`cuda`, `mps` or `cpu`.

    Raises:
        InputError: If a GPU is asked for and there is none.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if config.device == "auto":
        return next(name for name, found in there.items() if found)
    if not there[config.device]:
        raise InputError(
            f"[train] device = '{config.device}': PyTorch finds none here. Take 'auto' or 'cpu', or install a PyTorch "
            "that knows your GPU."
        )
    return config.device


def num_devices(config: Train) -> int:
    """How many devices share a training.

    Raises:
        InputError: If more are asked for than there are.
    """
    kind = device_kind(config)
    there = torch.cuda.device_count() if kind == "cuda" else 1
    if config.devices == "auto":
        return there
    if kind != "cpu" and config.devices > there:
        raise InputError(f"[train] devices = {config.devices}: there are {there} {kind} devices. Lower it.")
    return config.devices


def reduced(fabric: Fabric, values: Tensor, how: str) -> Tensor:
    """The sum or the mean (`sum`, `mean`) over all processes; the values themselves where there is one."""
    return cast(Tensor, fabric.all_reduce(values, reduce_op=how))


def share_statistics(fabric: Fabric, network: Module) -> None:
    """Give every process the first one's batch statistics, which each gathers over its own share of the images."""
    for buffer in network.buffers() if fabric.world_size > 1 else ():
        torch.distributed.broadcast(buffer, 0)


def launch(fabric: Fabric, work: Callable[..., None], *args: Any, report: Progress = silent) -> None:
    """Call `work(fabric, report, *args)` in one process per device, and wait for all of them.

    The processes end when this one does, however it does. Interruptions are passed on to them as SIGTERM.

    Args:
        fabric: From `make_fabric`, for several devices.
        work: A function of a module, so that other processes can import it.
        args: Can be pickled.
        report: Hears of the first process's progress.

    Raises:
        InputError: If one of them raised it.
        KeyboardInterrupt: If they were interrupted.
    """
    receivers, senders = map(list, zip(*(new_pipe() for _ in range(fabric.world_size)), strict=True))
    end: list[tuple[str, str]] = []
    listener = threading.Thread(target=_listen, args=(receivers, report, end), daemon=True)
    listener.start()
    try:
        with _signals_passed_on(), _port_forgotten():
            fabric.launch(cast(Any, _work), os.getpid(), senders, pickle.dumps((work, args)))
    except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException):
        _receive_the_rest(senders, listener)
        kinds = dict(reversed(end))
        if "refused" in kinds:
            raise InputError(kinds["refused"]) from None
        if "interrupted" in kinds:
            raise KeyboardInterrupt from None
        raise
    _receive_the_rest(senders, listener)


def _work(fabric: Fabric, parent: int, senders: list[Sender], packed: bytes) -> None:
    """What each process does; how it ended goes to the parent. Packed, since Fabric would take arguments apart."""
    _hush()
    leave_to_parent(parent)
    rank = int(os.environ["LOCAL_RANK"])
    send = senders[rank].send
    try:
        work, args = pickle.loads(packed)
        work(fabric, silent if rank else lambda *news: send("progress", *news), *args)
    except InputError as error:
        send("refused", str(error))
        raise
    except KeyboardInterrupt:
        send("interrupted", "")
        raise SystemExit(1) from None
    except BaseException:
        send("failed", traceback.format_exc())
        raise


@contextmanager
def tuned_convolutions() -> Iterator[None]:
    """Let cuDNN try which of its algorithms is quickest for each size; on a GPU, sums then differ from run to run."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _hush() -> None:
    """Fabric says at every start which precision and backend it uses, which the experiment file says already."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


def _listen(receivers: list[Connection], report: Progress, end: list[tuple[str, str]]) -> None:
    """Until all processes have ended."""
    while receivers:
        for receiver, message in received(receivers):
            if not message:
                receivers.remove(receiver)
            elif message[0] == "progress":
                report(*message[1:])
            else:
                end.append(message)


def _receive_the_rest(senders: list[Sender], listener: threading.Thread) -> None:
    for one in senders:
        one.close()
    listener.join(SECONDS_TO_RECEIVE)


@contextmanager
def _signals_passed_on() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in multiprocessing.active_children():
            process.terminate()

    before = {number: signal.signal(number, pass_on) for number in heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _port_forgotten() -> Iterator[None]:
    """Fabric leaves the port it chose in the environment, where the next training would take it for the user's."""
    before = os.environ.get("MASTER_PORT")
    try:
        yield
    finally:
        os.environ.pop("MASTER_PORT", None)
        if before is not None:
            os.environ["MASTER_PORT"] = before
