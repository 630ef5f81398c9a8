"""Measure: one figure of a phantom set with the limits it has to keep, and the report of all."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

NOTICE = "Synthetic phantoms only. Research use, not a medical device."


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured figure.

    Attributes:
        name: What was measured.
        value: The figure, None where the set holds nothing to measure it on.
        low: Lowest value that passes, None without a lower limit.
        high: Highest value that passes, None without an upper limit.
        unit: Unit of the figure.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the limits are kept; None without limits or without a figure."""
        if self.value is None or (self.low is None and self.high is None):
            return None
        above = self.low is None or self.value >= self.low
        return above and (self.high is None or self.value <= self.high)

    def line(self) -> str:
        """One line of the text report."""
        verdict = {True: "pass", False: "FAIL", None: "-"}[self.passed]
        value = "not measured" if self.value is None else f"{self.value:.3f} {self.unit}".rstrip()
        return f"{verdict:<5} {self.name:<48} {value:>18}  {self._limits()}".rstrip()

    def _limits(self) -> str:
        if self.low is None and self.high is None:
            return ""
        if self.low is None:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one phantom set."""

    series: int
    slices: int
    measures: tuple[Measure, ...]

    @property
    def passed(self) -> bool:
        """Whether no figure misses its limits."""
        return all(measure.passed is not False for measure in self.measures)

    def value(self, name: str) -> float | None:
        """The figure of one name.

        Raises:
            KeyError: there is no such figure.
        """
        for measure in self.measures:
            if measure.name == name:
                return measure.value
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        rows = [asdict(measure) | {"passed": measure.passed} for measure in self.measures]
        facts = {"notice": NOTICE, "series": self.series, "slices": self.slices}
        return facts | {"passed": self.passed, "measures": rows}

    def text(self) -> str:
        """The report for a terminal."""
        failed = sum(measure.passed is False for measure in self.measures)
        head = f"{self.series} series, {self.slices} slices. {NOTICE}"
        open_ = sum(measure.value is None for measure in self.measures)
        end = f"{failed} limits missed, {open_} figures not measured (too few slices or heads)"
        return "\n".join([head, *(measure.line() for measure in self.measures), end])


def measure(
    name: str,
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
) -> Measure:
    """A measure; NaN counts as not measured."""
    if value is not None and math.isnan(value):
        value = None
    return Measure(name, None if value is None else float(value), low, high, unit)
