"""Signals: heard at a time when it does no harm, whichever thread the system gave them to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from conslaw_cli.sweeps import signals


@pytest.fixture(autouse=True)
def heard_as_usual() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def from_another_thread() -> None:
    """Send a signal that a thread hears, as those of libraries may: they block none."""
    done = threading.Event()

    def hear() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        done.set()

    hearer = threading.Thread(target=hear)
    hearer.start()
    hearer.join()
    assert done.is_set()


def from_the_system() -> None:
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.mark.parametrize("send", [from_the_system, from_another_thread])
def test_a_signal_waits_for_the_end_of_the_block(send: Callable[[], None]) -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), signals.held_back(), signals.held_back():  # noqa: PT012
        send()
        send()
        reached = True
    assert reached
    with signals.held_back():
        pass  # nothing is left


@pytest.mark.parametrize("send", [from_the_system, from_another_thread])
def test_one_that_waits_is_heard_where_it_is_let_through(send: Callable[[], None]) -> None:
    places = []
    with signals.held_back():
        send()
        places.append("held back")
        with pytest.raises(KeyboardInterrupt), signals.let_through():
            places.append("let through")
        places.append("held back again")
        send()
        places.append("not heard")
        with pytest.raises(KeyboardInterrupt), signals.let_through():
            pass
    assert places == ["held back", "held back again", "not heard"]


def test_one_that_comes_while_it_is_let_through_is_heard_at_once() -> None:
    with signals.held_back(), pytest.raises(KeyboardInterrupt), signals.let_through():
        from_the_system()


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals.held_back():
        from_the_system()
        with signals.let_through():
            from_the_system()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
