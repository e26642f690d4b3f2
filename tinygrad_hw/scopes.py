"""Scopes: settings that hold inside a ``with``, or in a decorated function, for one thread and task; and locks that survive a fork.

``no_grad`` and ``detect_anomaly`` are scopes. They may end in any order, as those of two generators do, and in another thread than
they began. A decorated generator or asynchronous function is in its scope only while its own code runs.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

__all__ = ["Scope", "detecting_anomalies", "held_during_fork", "reset_after_fork"]

detecting_anomalies: ContextVar[Any] = ContextVar("detecting_anomalies", default=False)  # set by ``detect_anomaly``

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound="Scope")


class Block:
    """A scope that has been entered; as a truth value, the setting inside of it, or once it has ended, outside of it."""

    __slots__ = ("ended", "outer", "value")

    def __init__(self, value: bool, outer: Any) -> None:
        self.value, self.outer, self.ended = value, outer, False

    def __bool__(self) -> bool:
        return bool(innermost(self)) if self.ended else self.value


def innermost(setting: Any) -> Any:
    """Return the innermost block that has not ended, or the setting's value outside of all blocks."""
    while isinstance(setting, Block) and setting.ended:
        setting = setting.outer
    return setting


class Scope:
    """A context manager and decorator; a subclass names the setting and its value inside."""

    setting: ClassVar[ContextVar[Any]]
    value: ClassVar[bool]

    def __new__(cls, function: Any = None) -> Any:
        """Return a scope, or, used as a decorator without parentheses, the function in its scope."""
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self) -> None:
        self._blocks: list[Block] = []

    def __enter__(self: S) -> S:
        block = Block(self.value, innermost(self.setting.get()))
        self._blocks.append(block)
        self.setting.set(block)
        return self

    def __exit__(self, *error: object) -> None:
        current = innermost(self.setting.get())
        block = current if current in self._blocks else self._blocks[-1]
        self._blocks.remove(block)
        block.ended = True
        self.setting.set(innermost(self.setting.get()))

    def __call__(self, f: F) -> F:
        """Return a function that runs in a scope of its own."""
        kinds = (
            (inspect.isgeneratorfunction, wrap_generator),
            (inspect.isasyncgenfunction, wrap_async_generator),
            (inspect.iscoroutinefunction, wrap_coroutine),
        )
        within = next((within for is_kind, within in kinds if is_kind(f)), wrap_function)
        return wraps(f)(within(type(self), f))  # type: ignore[return-value]


def wrap_function(scope: type[Scope], f: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return f(*args, **kwargs)

    return call


def wrap_coroutine(scope: type[Scope], f: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return await f(*args, **kwargs)

    return call


def wrap_generator(scope: type[Scope], f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a generator function that runs each step of another one in a scope."""

    def generate(*args: Any, **kwargs: Any) -> Any:
        inner = f(*args, **kwargs)
        step = partial(next, inner)
        while True:
            try:
                with scope():
                    item = step()
            except StopIteration as stop:
                return stop.value
            try:
                step = partial(inner.send, (yield item))
            except BaseException as error:  # (GeneratorExit, too)
                step = partial(inner.throw, error)

    return generate


def wrap_async_generator(scope: type[Scope], f: Callable[..., Any]) -> Callable[..., Any]:
    """Return an asynchronous generator function that runs each step of another one in a scope."""

    async def generate(*args: Any, **kwargs: Any) -> Any:
        inner = f(*args, **kwargs)
        step = inner.__anext__
        while True:
            try:
                with scope():
                    item = await step()
            except StopAsyncIteration:
                return
            try:
                step = partial(inner.asend, (yield item))
            except BaseException as error:  # (GeneratorExit, too)
                step = partial(inner.athrow, error)

    return generate


# Locks: a forked process has only the thread that forked it, and would wait for ever for a lock that another thread held
def held_during_fork(lock: Any) -> Any:
    """Return a lock of the whole package that a thread takes before it forks: no other thread is half way through what it guards."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def reset_after_fork(lock: Any) -> Any:
    """Return a lock of one object, which a forked process finds unlocked."""
    resetting.add(lock)
    return lock


resetting: WeakSet[Any] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: [lock._at_fork_reinit() for lock in resetting])
