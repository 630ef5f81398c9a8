"""Schemas: the JSON of the answers, as OpenAPI documents it.

Classification | NothingClassified (service.types, service.errors) ─> these models ─> JSON
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from service.types import (
    Action,
    Classification,
    DefaultWindow,
    ModelInfo,
    SliceResult,
    Status,
    Violation,
)

Probability = Annotated[float, Field(ge=0, le=1, examples=[0.0312])]


class _Answer(BaseModel):
    """Base: answers are built once and never changed."""

    model_config = ConfigDict(frozen=True)


class Model(_Answer):
    """Which model answered."""

    name: str = Field(examples=["ich_convlstm"])
    tag: str = Field(description="Tag in the model store", examples=["ich_convlstm:0.1.0"])
    version: str = Field(examples=["0.1.0"])
    assumed_prevalence: dict[str, float | None] = Field(
        description="Share of positive slices that the probabilities are calibrated for, by label",
        examples=[{"any": 0.1433}],
    )

    @classmethod
    def of(cls, model: ModelInfo) -> Self:
        """From the value of the pipeline."""
        assumed = dict(model.assumed_prevalence)
        return cls(
            name=model.name, tag=model.tag, version=model.version, assumed_prevalence=assumed
        )


class Probabilities(_Answer):
    """Calibrated probability of each label on its own; they need not add up to anything."""

    epidural: Probability
    intraparenchymal: Probability
    intraventricular: Probability
    subarachnoid: Probability
    subdural: Probability
    any: Probability


class Window(_Answer):
    """The window of the object itself, in Hounsfield units: the first of the network's ten."""

    center: float = Field(examples=[40.0])
    width: float = Field(examples=[80.0])
    substituted: bool = Field(description="The object names no usable window; a default was used")

    @classmethod
    def of(cls, window: DefaultWindow) -> Self:
        """From the value of the pipeline."""
        return cls(center=window.center, width=window.width, substituted=window.substituted)


class GateViolation(_Answer):
    """One rule of the input gate that an object broke; names the element, never its value."""

    code: str = Field(description="Stable", examples=["not_ct"])
    action: Action
    message: str = Field(examples=["The modality is not CT."])
    keyword: str = Field("", description="DICOM keyword", examples=["Modality"])
    tag: str = Field("", description="DICOM tag, or empty", examples=["0008,0060"])

    @classmethod
    def of(cls, violation: Violation) -> Self:
        """From the value of the gate."""
        return cls(
            code=violation.code,
            action=violation.action,
            message=violation.message,
            keyword=violation.keyword,
            tag=violation.tag,
        )


class SliceViolation(GateViolation):
    """A violation and the slice that it belongs to."""

    slice: int = Field(0, ge=0, description="Position in the request, from 0")

    @classmethod
    def of(cls, index: int, violation: Violation) -> Self:  # type: ignore[override]  # needs both
        """From the value of the gate and the position of its slice."""
        return cls(slice=index, **GateViolation.of(violation).model_dump())


class SliceAnswer(_Answer):
    """The answer for one image: an object, or one frame of a multi-frame object."""

    index: int = Field(ge=0, description="Position of its object in the request, from 0")
    file_name: str | None = Field(description="As sent, at most 255 characters")
    sop_instance_uid: str | None
    series_instance_uid: str | None
    study_instance_uid: str | None
    status: Status
    probabilities: Probabilities | None = Field(description="Null unless classified")
    findings: list[str] = Field(description="Labels at or over their operating threshold")
    any_consistent: bool | None = Field(
        description="Whether `any` is at least the largest subtype; reported, never forced"
    )
    window: Window | None
    warnings: list[GateViolation]
    errors: list[GateViolation]
    frame: int | None = Field(
        None, ge=1, description="Number of the frame, from 1; null unless the object has several"
    )

    @classmethod
    def of(cls, item: SliceResult) -> Self:
        """From the value of the pipeline."""
        scores = item.probabilities
        return cls(
            index=item.index,
            frame=item.frame,
            file_name=item.name,
            sop_instance_uid=item.identity.sop_instance_uid or None,
            series_instance_uid=item.identity.series_instance_uid or None,
            study_instance_uid=item.identity.study_instance_uid or None,
            status=item.status,
            probabilities=None if scores is None else Probabilities(**scores),
            findings=list(item.findings),
            any_consistent=item.any_consistent,
            window=None if item.window is None else Window.of(item.window),
            warnings=[GateViolation.of(violation) for violation in item.warnings],
            errors=[GateViolation.of(violation) for violation in item.errors],
        )


class Timings(_Answer):
    """Milliseconds for which at least one slice of the request was in the stage."""

    receive: float = Field(0.0, examples=[1.9])
    decode: float = Field(0.0, examples=[3.1])
    queue: float = Field(0.0, examples=[0.2])
    infer: float = Field(0.0, examples=[24.8])
    total: float = Field(0.0, examples=[30.4])


class ClassifyAnswer(_Answer):
    """The answer to a request of which at least one slice was classified."""

    request_id: str = Field(examples=["5f0c6a2e9d1b4c7e8a3f"])
    model: Model
    slices: list[SliceAnswer] = Field(
        description="In the order of the request; the frames of an object follow each other"
    )
    timings_ms: Timings

    @classmethod
    def of(cls, classification: Classification) -> Self:
        """From the value of the pipeline."""
        return cls(
            request_id=classification.request_id,
            model=Model.of(classification.model),
            slices=[SliceAnswer.of(item) for item in classification.slices],
            timings_ms=Timings(**classification.timings_ms),
        )


class Problem(_Answer):
    """RFC 9457: why the request was not answered."""

    type: str = Field(description="Stable URN", examples=["urn:ich-serve:problem:not_ct"])
    title: str = Field(examples=["Not an assessable head CT slice"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["No slice of the request could be classified."])
    code: str = Field(description="Stable", examples=["not_ct"])
    request_id: str = Field(examples=["5f0c6a2e9d1b4c7e8a3f"])
    violations: list[SliceViolation] = Field(default=[], description="Of all slices")
    slices: list[SliceAnswer] = Field(default=[], description="The verdict on each slice")


class Health(_Answer):
    """The state of the service."""

    status: str = Field(examples=["ok"])
