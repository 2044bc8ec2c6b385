"""The table of RPC methods, and the mark that enters a function in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Answer(Enum):
    """How a method's result is wrapped."""

    VALUE, VOID, BARE = "value", "void", "bare"


@dataclass(frozen=True)
class Method:
    """A method: its wrapping, and a function of (server, connection, arguments…), plain or async."""

    answer: Answer
    call: Callable[..., Any | Awaitable[Any]]


METHODS: dict[str, Method] = {}


def method(answer: Answer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters a function under its name."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        METHODS[function.__name__] = Method(answer, function)
        return function

    return register


def constant(name: str, answer: Answer, value: Any = None) -> None:
    """Enters a method that always answers the same."""
    METHODS[name] = Method(answer, lambda server, connection, *arguments: value)


def order(name: str, function: Callable[..., None]) -> None:
    """Enters an order of orders.py."""
    METHODS[name] = Method(Answer.VOID, lambda server, connection, *arguments: function(server.world, *arguments))
