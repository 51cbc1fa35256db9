"""Notes each public method of Python's `hcloud` that is called, so that none is forgotten."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from hcloud import Client
from hcloud.actions.client import ResourceActionsClient
from hcloud.core.client import BoundModelBase, ResourceClientBase

from ..ledger import Ledger

Method = Callable[..., Any]


def offered(client: Client) -> list[str]:
    """All operations: `servers.create`, `servers.actions.get_list`, `BoundServer.power_on`."""
    owners = [(name, type(resource)) for name, resource in _resources(client)]
    owners += [(bound.__name__, bound) for bound in _below(BoundModelBase)]
    return [f"{name}.{method}" for name, owner in owners for method in _methods(owner)]


def trace(ledger: Ledger, client: Client) -> None:
    """Wraps the library's classes: from now on every call in this process is noted.

    A method that calls another is run as much as that one, but only the outermost call is blamed for what goes wrong.
    """
    names = {id(resource): name for name, resource in _resources(client)}
    depth = 0

    def noted(name: str, method: Method) -> Method:
        @functools.wraps(method)
        def call(this: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            operation = f"{names.get(id(this), type(this).__name__)}.{name}"
            if depth == 0:
                ledger.begin(operation)
            depth += 1
            try:
                answer = method(this, *args, **kwargs)
            finally:
                depth -= 1
            ledger.done(operation)
            return answer

        return call

    for owner in {type(resource) for _, resource in _resources(client)} | set(_below(BoundModelBase)):
        for name, method in _methods(owner).items():
            setattr(owner, name, noted(name, method))


def _resources(client: Client) -> Iterator[tuple[str, ResourceClientBase]]:
    for attribute, value in vars(client).items():
        if isinstance(value, ResourceClientBase):
            name = attribute.lstrip("_")
            yield name, value
            if isinstance(inner := vars(value).get("actions"), ResourceActionsClient):
                yield f"{name}.actions", inner


def _methods(owner: type) -> dict[str, Method]:
    members = inspect.getmembers(owner, inspect.isfunction)
    return {name: method for name, method in members if not name.startswith("_")}


def _below(base: type) -> Iterator[type]:
    for child in base.__subclasses__():
        yield child
        yield from _below(child)
