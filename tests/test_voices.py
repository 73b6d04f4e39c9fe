"""What processes say is heard whatever happens to them, and to the others."""

import multiprocessing
import os
import signal
import time

import pytest

from gapscope.voices import Voice, heard_at, voice

pytestmark = pytest.mark.slow
LONG = "x" * 10**6
"""More than a pipe takes at once: who sends it waits for the one who listens."""


def talk(mouth: Voice) -> None:
    mouth.say("first", os.getpid())
    mouth.say("second", LONG)


def talk_on_and_on(mouth: Voice) -> None:
    while True:
        mouth.say(LONG)


def started(work, *arguments):
    ear, mouth = voice()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(mouth, *arguments), daemon=True)
    process.start()
    mouth.close()
    return ear, process


def test_one_that_is_killed_while_it_speaks_silences_no_other():
    loud, killed = started(talk_on_and_on)
    assert loud.poll(60)  # it has begun to write what no pipe holds, and hangs in the middle of it
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    calm, process = started(talk)
    said, ears = {calm: [], loud: []}, [loud, calm]
    while ears:
        for ear, message in heard_at(ears, timeout=60):
            said[ear].append(message)
            if not message:
                ears.remove(ear)
    assert said[loud] == [()]  # half of a message is none
    assert said[calm] == [("first", process.pid), ("second", LONG), ()]


def test_who_speaks_to_nobody_goes_on():
    ear, process = started(talk)
    ear.close()
    process.join(60)
    assert process.exitcode == 0


def test_nothing_is_sent_after_half_a_message():
    ear, mouth = voice()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            mouth.say(LONG)
    finally:
        signal.signal(signal.SIGALRM, before)
    started_at = time.monotonic()
    mouth.say("and this")  # would wait for ever, and could not be told from the rest of the other
    assert time.monotonic() - started_at < 60
    mouth.close()
    assert list(heard_at([ear])) == [(ear, ())]
