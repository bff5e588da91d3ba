"""A model that several threads may use: its mode and its place are changed and put back in an orderly way.

A model has one lock. A forward holds it, so that hooks and replaced modules of a method in one thread (which hold it as
long as they last) are never seen by another. Eval mode is shared: the first user sets it, the last one puts back what
was there.
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
    """Who uses a model, and how it was found."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.modes: list[tuple[nn.Module, bool]] = []
        self.placed = 0
        self.home: torch.device | None = None


_states: WeakKeyDictionary[Any, _State] = WeakKeyDictionary()
_guard = threading.Lock()


def lock_of(model: Callable[..., Any]) -> threading.RLock:
    """The lock that a forward of the model holds."""
    return _state(model).lock


@contextmanager
def in_eval_mode(model: Callable[..., Any]) -> Iterator[None]:
    """Eval mode for as long as the context lasts; the last user puts back each module's own mode."""
    if not isinstance(model, nn.Module):
        yield
        return
    state = _state(model)
    with state.lock:
        if state.users == 0:
            # frozen and exported modules have no mode: they are what they were made in
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
def placed_on(model: Callable[..., Any], target: torch.device, home: torch.device) -> Iterator[None]:
    """The model on a device for as long as the context lasts; the last user moves it back.

    Args:
        model: to be moved; callables that are no modules stay where they are.
        target: where it is needed.
        home: where its parameters are.

    Raises:
        ArgumentError: another thread uses the model on another device.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    state = _state(model)
    with state.lock:
        if state.placed == 0:
            state.home = home
            if target != home:
                model.to(target)
        elif target != home:  # home is where the other users have it
            raise ArgumentError(f"the model is in use on {home}; it cannot be on {target} at the same time")
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
    except NotImplementedError:  # exported: dropout and batch norm are what they were when it was exported
        return


def _state(model: Callable[..., Any]) -> _State:
    with _guard:
        try:
            found = _states.get(model)
            if found is None:
                found = _states[model] = _State()
        except TypeError:  # not hashable, or without weak references: nothing can be shared
            return _State()
        return found
