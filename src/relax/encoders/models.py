"""Share a model between threads: change its mode and device safely, and restore them afterwards.

Each model has one lock. Forward passes hold it, and so does a method for as long as it has hooks or replaced modules
on the model; other threads never see them. Eval mode is shared: the first user sets it, the last one restores each
module's previous mode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from relax.errors import ArgumentError


class _State:
    """Users of a model, and the mode and device to restore."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.modes: list[tuple[nn.Module, bool]] = []
        self.placed = 0
        self.home: torch.device | None = None


_states: WeakKeyDictionary[Any, _State] = WeakKeyDictionary()
_guard = threading.Lock()


def lock_of(model: Callable[..., Any]) -> threading.RLock:
    """The lock that forward passes of the model hold."""
    return _state(model).lock


@contextmanager
def in_eval_mode(model: Callable[..., Any]) -> Iterator[None]:
    """Hold the model in eval mode; the last user restores each module's own mode."""
    if not isinstance(model, nn.Module):
        yield
        return
    state = _state(model)
    with state.lock:
        if state.users == 0:
            # frozen and exported modules have no training flag
            state.modes = [(module, module.training) for module in model.modules() if hasattr(module, "training")]
            if any(training for _, training in state.modes):
                _to_eval_mode(model)
        state.users += 1
    try:
        yield
    finally:
        with state.lock:
            state.users -= 1
            if state.users == 0:
                for module, training in state.modes:
                    if module.training != training:
                        module.training = training
                state.modes = []


@contextmanager
def placed_on(model: Callable[..., Any], target: torch.device, home_of: Callable[[], torch.device]) -> Iterator[None]:
    """Hold the model on a device; the last user moves it back.

    Args:
        model: the model; callables other than modules are left alone.
        target: device to move it to.
        home_of: returns the device of its parameters, asked for while no other thread can move them.

    Raises:
        ArgumentError: another thread is using the model on another device.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    state = _state(model)
    with state.lock:
        home = home_of()
        if state.placed == 0:
            state.home = home
            if target != home:
                model.to(target)
        elif target != home:  # home is the device of the current users
            raise ArgumentError(f"the model is in use on {home}; it cannot be moved to {target}")
        state.placed += 1
    try:
        yield
    finally:
        with state.lock:
            state.placed -= 1
            if state.placed == 0 and state.home is not None and state.home != target:
                model.to(state.home)


def _to_eval_mode(model: nn.Module) -> None:
    try:
        model.eval()
    except NotImplementedError:  # exported models cannot change mode
        return


def _state(model: Callable[..., Any]) -> _State:
    with _guard:
        try:
            state = _states.get(model)
            if state is None:
                state = _states[model] = _State()
        except TypeError:  # unhashable, or no weak references: use a state of its own
            return _State()
        return state
