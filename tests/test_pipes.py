"""What processes report arrives whatever happens to them, and to the others."""

import multiprocessing
import os
import signal
import time

import pytest

from gapscope.pipes import Sender, new_pipe, received

pytestmark = pytest.mark.slow
LONG = "x" * 10**6
"""More than a pipe takes at once: who sends it waits for the one who receives."""


def talk(sender: Sender) -> None:
    sender.send("first", os.getpid())
    sender.send("second", LONG)


def talk_on_and_on(sender: Sender) -> None:
    while True:
        sender.send(LONG)


def started(work, *arguments):
    receiver, sender = new_pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(sender, *arguments), daemon=True)
    process.start()
    sender.close()
    return receiver, process


def test_a_process_that_is_killed_while_it_sends_stops_no_others_messages():
    loud, killed = started(talk_on_and_on)
    assert loud.poll(60)  # it has begun to write what no pipe holds, and hangs in the middle of it
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    calm, process = started(talk)
    messages, open_ones = {calm: [], loud: []}, [loud, calm]
    while open_ones:
        for receiver, message in received(open_ones, timeout=60):
            messages[receiver].append(message)
            if not message:
                open_ones.remove(receiver)
    assert messages[loud] == [()]  # half of a message is none
    assert messages[calm] == [("first", process.pid), ("second", LONG), ()]


def test_who_sends_to_nobody_goes_on():
    receiver, process = started(talk)
    receiver.close()
    process.join(60)
    assert process.exitcode == 0


def test_nothing_is_sent_after_half_a_message():
    receiver, sender = new_pipe()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            sender.send(LONG)
    finally:
        signal.signal(signal.SIGALRM, before)
    started_at = time.monotonic()
    sender.send("and this")  # would wait for ever, and could not be told from the rest of the other
    assert time.monotonic() - started_at < 60
    sender.close()
    assert list(received([receiver])) == [(receiver, ())]
