"""Case: one hostile or odd object and the verdict that it must get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table.

    Attributes:
        name: what is wrong, in the words of a file name.
        build: makes the object.
        status: HTTP status of a request that holds the object alone.
        code: code that must be among the reasons; empty when the object is classified.
    """

    name: str
    build: Callable[[], bytes]
    status: int
    code: str = ""
