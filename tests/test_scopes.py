"""A scope holds where it stands: nested, decorated, in generators, tasks and threads, and whatever ends first."""

import asyncio
import contextvars
import inspect
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw.scopes import innermost
from tinygrad_hw.tensor import Tensor, no_grad, recording
from tinygrad_hw.testing import AnomalyError, detect_anomaly


def records():
    """Tell whether a result is recorded here."""
    return (Tensor(1.0, requires_grad=True) * 2).requires_grad


def watched():
    """Tell whether an infinity is found here."""
    try:
        with np.errstate(over="ignore"):
            Tensor(1e300, requires_grad=True) * 1e300
    except AnomalyError:
        return True
    return False


SCOPES = [pytest.param(no_grad, lambda: not records(), id="no_grad"), pytest.param(detect_anomaly, watched, id="detect_anomaly")]
either = pytest.mark.parametrize(("scope", "inside"), SCOPES)


@pytest.fixture(autouse=True)
def all_is_as_before():
    """Whatever a test does, afterwards the settings are as they were, NumPy's too."""
    errors = np.geterr()
    yield
    assert records() and not watched()
    assert np.geterr() == errors


@either
def test_a_scope_nests_and_one_object_may_be_entered_again(scope, inside):
    both = scope()
    with both:
        with both:
            assert inside()
        assert inside()
    assert not inside()


@either
def test_a_decorated_function_runs_in_the_scope_each_time(scope, inside):
    @scope()
    def f(again):
        return inside() and (not again or f(False))

    assert f(True)
    assert f(True)
    assert not inside()


@either
def test_a_scope_decorates_without_parentheses_too(scope, inside):
    @scope
    def f(x):
        return inside(), x

    @scope
    def generator():
        yield inside()

    assert f(3) == (True, 3)
    assert list(generator()) == [True]
    assert not inside()


@either
def test_a_decorated_generator_is_in_the_scope_only_while_its_code_runs(scope, inside):
    @scope()
    def generator(x):
        """Echo."""
        seen = []
        try:
            while True:
                seen.append(inside())
                x = yield x
        except ValueError:
            seen.append(inside())
        finally:
            seen.append(inside())
        return seen

    assert inspect.isgeneratorfunction(generator) and generator.__doc__ == "Echo."
    running = generator(1)
    assert next(running) == 1
    assert not inside()
    assert running.send(2) == 2
    assert not inside()
    with pytest.raises(StopIteration) as stop:
        running.throw(ValueError("enough"))
    assert stop.value.value == [True] * 4
    assert list(zip(generator(1), range(2))) == [(1, 0), (None, 1)]


@either
def test_a_decorated_generator_is_closed_in_the_scope(scope, inside):
    seen = []

    @scope()
    def generator():
        try:
            yield 1
        finally:
            seen.append(inside())

    running = generator()
    next(running)
    running.close()
    assert seen == [True]
    assert not inside()


@either
def test_a_decorated_asynchronous_function_is_in_the_scope_and_its_neighbours_are_not(scope, inside):
    @scope()
    async def within():
        seen = [inside()]
        await asyncio.sleep(0)
        return [*seen, inside()]

    async def without():
        seen = [inside()]
        await asyncio.sleep(0)
        return [*seen, inside()]

    async def main():
        return await asyncio.gather(within(), without(), within(), without())

    assert inspect.iscoroutinefunction(within)
    assert asyncio.run(main()) == [[True, True], [False, False]] * 2


@either
def test_a_decorated_asynchronous_generator_is_in_the_scope_only_while_its_code_runs(scope, inside):
    seen = []

    @scope()
    async def generator(n):
        try:
            for i in range(n):
                seen.append(inside())
                await asyncio.sleep(0)
                got = yield i
                seen.append(got)
        finally:
            seen.append(inside())

    async def main():
        async for _ in generator(2):
            assert not inside()
        running = generator(5)
        assert await running.asend(None) == 0
        assert await running.asend("sent") == 1
        await running.aclose()
        failing = generator(5)
        await failing.__anext__()
        with pytest.raises(KeyError):
            await failing.athrow(KeyError("thrown"))
        return inside()

    assert inspect.isasyncgenfunction(generator)
    assert asyncio.run(main()) is False
    assert seen == [True, None, True, None, True, True, "sent", True, True, True, True]


@either
@given(st.lists(st.integers(0, 4), max_size=12))
def test_scopes_of_several_generators_may_end_in_any_order(scope, inside, moves):
    """Each move starts a generator that is not running, or ends one that is; inside is where at least one runs."""

    def generator():
        with scope():
            yield

    def run():
        running = {}
        for k in moves:
            if k in running:
                running.pop(k).close()
            else:
                running[k] = generator()
                next(running[k])
            assert inside() == bool(running)
        for k in list(running):
            running.pop(k).close()
        assert not inside()

    contextvars.copy_context().run(run)


@either
def test_a_scope_that_ends_in_another_thread_ends_where_it_began(scope, inside):
    def generator():
        with scope():
            yield

    running = generator()
    next(running)
    assert inside()
    thread = threading.Thread(target=running.close)
    thread.start()
    thread.join()
    assert not inside()
    np.seterr(all="warn", under="ignore")  # (NumPy's own settings are the thread's that changed them)


@either
def test_one_scope_object_in_two_threads_ends_in_each_for_itself(scope, inside):
    shared, seen = scope(), []
    entered, left = threading.Event(), threading.Event()

    def other():
        with shared:
            entered.set()
            left.wait(5)
            seen.append(inside())
        seen.append(inside())

    thread = threading.Thread(target=other)
    with shared:
        thread.start()
        entered.wait(5)
    assert not inside()
    left.set()
    thread.join()
    assert seen == [True, False]


def test_many_scopes_that_ended_leave_no_chain_behind():
    for _ in range(3):
        with no_grad():
            pass
    assert recording.get() is True
    assert innermost(recording.get()) is True


# Locks
FORKING = """
import os, threading, time
import numpy as np
import tinygrad_hw as tg
from tinygrad_hw import Tensor, optim

def sweep():
    x = Tensor(np.ones(9), requires_grad=True)
    (x * x).sum().backward()
    assert x.grad[0] == 2

def write():
    y = Tensor(np.zeros(9))
    y[0] = Tensor(2.0, requires_grad=True)
    y += 1
    assert y[0].item() == 3

def record():
    assert tg.compile(lambda x: x * 2)(np.ones(1)) == 2

w = Tensor(np.ones(9), requires_grad=True)
step = tg.compile(lambda: (w * w).sum(), optim.SGD([w], 0.0))

busy, stop = DOING, threading.Event()

def work():
    while not stop.is_set():
        busy()

thread = threading.Thread(target=work)
thread.start()
for _ in range(10):
    child = os.fork()
    if not child:
        busy()
        os._exit(0)
    deadline = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.001)
    if ended == (0, 0):
        os.kill(child, 9)
        print("hangs")
        break
    assert ended[1] == 0
stop.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("doing", ["sweep", "write", "record", "step"])
def test_a_process_forked_while_another_thread_is_at_work_can_do_the_same(doing):
    code = FORKING.replace("DOING", doing)
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stderr
