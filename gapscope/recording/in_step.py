"""All batches of a model's pass in step: none goes past a layer before all are there, so nothing needs to be kept.

Each batch is a pass of its own, in a thread of its own, of which one runs at a time: the model sees what it would see
one batch after the other. Where a batch goes another way than the first one, or where what one batch leaves in the
model reaches another, the caller must do without.
"""

import contextvars
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gapscope.recording.calls import Call, EnoughError
from gapscope.recording.probe_images import Arguments

MOST = 64
"""Batches that go in step at a time: each needs a thread."""
STACK = 2**24
"""Bytes of a thread's stack: deep models need more than what some systems give other threads than the first."""
LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore)


class OutOfStepError(Exception):
    """The batches cannot go in step."""


def can_go_in_step(model: nn.Module, num_batches: int) -> bool:
    """Whether to try: not with a model that makes threads wait for each other, nor within a mode of one thread."""
    own_mode = torch.is_autocast_enabled("cpu") or torch.is_inference_mode_enabled()
    locked = any(isinstance(value, LOCKS) for module in model.modules() for value in vars(module).values())
    return num_batches <= MOST and not own_mode and not locked


def run_in_step(
    model: nn.Module,
    batches: Sequence[Callable[[], Arguments]],
    watched: Mapping[str, nn.Module],
    wanted: Collection[Call],
    on_outputs: Callable[[Call, list[Any]], None],
) -> None:
    """One pass of each batch up to the last wanted call.

    Args:
        model: On the CPU, in evaluation mode.
        batches: What gives the arguments of each pass.
        watched: The modules of the wanted calls, by name.
        wanted: The calls at which the batches wait for each other.
        on_outputs: Told of each wanted call, when all batches are there, with what it has put out for each. The
            tensors are as the module left them, and may be changed afterwards.

    Raises:
        OutOfStepError: If a pass fails, ends early or comes to the wanted calls in another order than the others.
    """
    lanes = [_Lane(model, batch, wanted) for batch in batches]
    by_thread: dict[int, _Lane] = {}
    names = {module: name for name, module in watched.items()}

    def end(module: nn.Module, _: Any, output: Any) -> None:
        lane = by_thread.get(threading.get_ident())
        if lane is not None:
            lane.ended(names[module], output)

    handles = [module.register_forward_hook(end) for module in watched.values()]
    try:
        with _deep_stacks():
            for lane in lanes:
                lane.thread.start()
                by_thread[lane.thread.ident or 0] = lane
        for _ in range(len(wanted)):
            for lane in lanes:
                lane.go_on()
            call = lanes[0].call
            if call is None or any(lane.call != call for lane in lanes):
                raise OutOfStepError from next((lane.error for lane in lanes if lane.error), None)
            on_outputs(call, [lane.output for lane in lanes])
    finally:
        for lane in lanes:
            lane.stop()
        for handle in handles:
            handle.remove()


class _Lane:
    """The pass of one batch: it runs when it is told to, and up to the next wanted call."""

    def __init__(self, model: nn.Module, batch: Callable[[], Arguments], wanted: Collection[Call]) -> None:
        self.model = model
        self.batch = batch
        self.wanted = wanted
        self.call: Call | None = None
        """Where it waits; None before it begins, and where it has ended."""
        self.output: Any = None
        self.counts: Counter[str] = Counter()
        self.stopping = False
        self.error: BaseException | None = None
        """What ended it before its time."""
        self.may_run, self.has_run = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), daemon=True)

    def go_on(self) -> None:
        """To the next wanted call, or to the end."""
        self.call = self.output = None
        if self.thread.is_alive():
            self.may_run.release()
            self.has_run.acquire()

    def stop(self) -> None:
        """End the pass at the next watched call, wherever it is."""
        self.stopping = True
        self.output = None
        self.may_run.release()
        if self.thread.ident is not None:
            self.thread.join()

    def ended(self, name: str, output: Any) -> None:
        """A watched call has ended in this lane's thread."""
        call = Call(name, self.counts[name])
        self.counts[name] += 1
        if call in self.wanted and not self.stopping:
            self.call, self.output = call, output
            self.has_run.release()
            self.may_run.acquire()
        if self.stopping:
            raise EnoughError

    def _run(self) -> None:
        self.may_run.acquire()
        try:
            if not self.stopping:
                arguments = self.batch()
                with torch.no_grad():  # which a thread does not inherit
                    self.model(*arguments.positional, **arguments.named)
        except (EnoughError, Exception) as error:
            self.error = error
        finally:
            self.call = self.output = None
            self.has_run.release()


@contextmanager
def _deep_stacks() -> Iterator[None]:
    before = threading.stack_size(STACK)
    try:
        yield
    finally:
        threading.stack_size(before)
