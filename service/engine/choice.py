"""Choice: which engine answers, found out at start on the golden vectors.

reference (torch) ─┬─ candidate allowed? agrees? ── no ──> not used, and the log says why
                   └─ yes ──> timed against the others, interleaved ──> the fastest answers
no candidate left ───> the spare ones, which take time to make, the same way
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from service.artifact import ArtifactError, Manifest
from service.engine.parity import Agreement, compare, measured
from service.engine.protocol import InferenceEngine

ROUNDS = 3  # forwards of each engine; the best counts, as what disturbs one only makes it slower

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Golden:
    """N slices of the model folder: int16 (N, 512, 512) HU and float32 (N, 2) windows."""

    voxels_hu: npt.NDArray[np.int16]
    windows: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one engine was found to be; `refusal` says why it may not answer."""

    engine: InferenceEngine
    agreement: Agreement | None = None
    ms_per_slice: float | None = None
    refusal: str = ""

    def report(self) -> dict[str, Any]:
        """As data for GET /v1/model."""
        agreement = self.agreement
        worst = None if agreement is None else agreement.max_probability_difference
        return {
            "name": self.engine.name,
            "precision": self.engine.precision,
            "variant": self.engine.facts().get("variant"),
            "ms_per_slice": None if self.ms_per_slice is None else round(self.ms_per_slice, 2),
            "max_probability_difference": worst if worst is None or np.isfinite(worst) else None,
            "flips": None if agreement is None else agreement.flips,
            "refusal": self.refusal,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that answers, why, and what was found of all of them."""

    engine: InferenceEngine
    reason: str
    trials: tuple[Trial, ...] = ()

    def report(self) -> dict[str, Any]:
        """As data for GET /v1/model."""
        return {
            "name": self.engine.name,
            "precision": self.engine.precision,
            "efficient_batch": self.engine.efficient_batch,
            **self.engine.facts(),
            "reason": self.reason,
            "tried": [trial.report() for trial in self.trials],
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask for: `engine` auto or a name, `precision` auto, fp32 or bf16."""

    engine: str = "auto"
    precision: str = "auto"


def choose(
    reference: InferenceEngine,
    candidates: Sequence[InferenceEngine],
    golden: Golden,
    manifest: Manifest,
    wish: Wish,
    absence: str = "",
    spare: Callable[[], Sequence[InferenceEngine]] = tuple,
) -> Choice:
    """The fastest engine that is wished for, allowed, and agrees with the reference.

    Args:
        reference: the engine that replayed the golden vectors.
        candidates: what else could run the network on this machine.
        golden: what they are compared and timed on.
        manifest: calibration, thresholds, and what was measured of each precision.
        wish: of the settings.
        absence: why there are no candidates.
        spare: makes further candidates; called only where none of the first may answer.

    Raises:
        ArtifactError: the engine that was asked for by name may not answer.
    """
    asked = wish.engine == reference.name
    expected = reference.forward(golden.voxels_hu, golden.windows)

    def examined(engines: Sequence[InferenceEngine]) -> list[Trial]:
        named = [each for each in engines if wish.engine in ("auto", each.name)]
        return [_examined(each, expected, golden, manifest, wish) for each in named]

    trials = examined(candidates)
    if not _fit(trials):
        trials += examined(spare())
    fit = _fit(trials)
    if not fit and not asked and wish.engine != "auto":
        raise ArtifactError(f"ICH_ENGINE is {wish.engine}, which may not answer here")
    if not fit:
        reason = "ICH_ENGINE asks for it" if asked else absence
        return Choice(reference, reason or "no other engine may answer here", tuple(trials))
    rivals = _rivals(reference, fit, wish)
    times = _ms_per_slice(rivals, golden) if len(rivals) > 1 else {}
    best = min(rivals, key=lambda engine: times.get(id(engine), 0.0))
    tried = [Trial(reference, compare(expected, expected, manifest)), *trials]
    timed = [replace(each, ms_per_slice=times.get(id(each.engine))) for each in tried]
    reason = "the fastest that agrees with torch on the golden vectors"
    return Choice(best, reason, tuple(timed))


def _fit(trials: Iterable[Trial]) -> list[InferenceEngine]:
    return [trial.engine for trial in trials if not trial.refusal]


def _rivals(
    reference: InferenceEngine, fit: Sequence[InferenceEngine], wish: Wish
) -> list[InferenceEngine]:
    """Who is timed: with a name or a precision asked for, only those that have it."""
    exact = [engine for engine in fit if engine.precision == wish.precision == "bf16"]
    if exact:
        return exact
    return [reference, *fit] if wish.engine in ("auto", reference.name) else list(fit)


def _examined(
    engine: InferenceEngine,
    expected: npt.NDArray[np.float32],
    golden: Golden,
    manifest: Manifest,
    wish: Wish,
) -> Trial:
    """Whether an engine may answer: its precision is allowed, and it agrees."""
    refusal, agreement = _not_allowed(engine, manifest, wish), None
    if not refusal:
        agreement, refusal = _tried(engine, expected, golden, manifest)
    if refusal:
        shown = {"engine": engine.name, "precision": engine.precision, "reason": refusal}
        variant = engine.facts().get("variant")
        _log.warning("engine_refused", extra={**shown, "variant": variant})
    return Trial(engine, agreement, refusal=refusal)


def _tried(
    engine: InferenceEngine,
    expected: npt.NDArray[np.float32],
    golden: Golden,
    manifest: Manifest,
) -> tuple[Agreement | None, str]:
    """Run an engine on the golden vectors: its agreement, and a refusal or an empty text."""
    try:
        found = engine.forward(golden.voxels_hu, golden.windows)
    except Exception as error:  # whatever it is, the reference can still answer
        _log.error("engine_failed", exc_info=error, extra={"engine": engine.name})
        return None, "its forward failed"
    agreement = compare(found, expected, manifest)
    # Rounding aside, one precision has one answer: anything more is a fault of the engine.
    limit = manifest.golden_tolerance["float32"] if engine.precision == "fp32" else np.inf
    if not agreement.holds or np.abs(found - expected).max() > limit:
        return agreement, "it disagrees with torch on the golden vectors"
    return agreement, ""


def _not_allowed(engine: InferenceEngine, manifest: Manifest, wish: Wish) -> str:
    """Why a precision may not be used; empty where it may."""
    if engine.precision == "fp32":
        return ""
    if wish.precision == "fp32":
        return "ICH_PRECISION does not allow it"
    agreement = measured(manifest, engine.name, engine.precision)
    if agreement is None:
        return "the manifest holds no measurement of this precision"
    return "" if agreement.holds else "the measurement in the manifest does not allow it"


def _ms_per_slice(engines: Iterable[InferenceEngine], golden: Golden) -> dict[int, float]:
    """Best time of one slice alone, by id of the engine; interleaved, so that all share the noise.

    Every engine has run once before, so that none pays for first use here.
    """
    best: dict[int, float] = {}
    engines = tuple(engines)
    for _ in range(ROUNDS):
        for engine in engines:
            started = perf_counter()
            engine.forward(golden.voxels_hu[:1], golden.windows[:1])
            ms = (perf_counter() - started) * 1000
            best[id(engine)] = min(ms, best.get(id(engine), ms))
    return best
