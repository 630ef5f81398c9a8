from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_CLASSIFIED: _ClassVar[Status]
    STATUS_SKIPPED: _ClassVar[Status]
    STATUS_REJECTED: _ClassVar[Status]

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_REJECT: _ClassVar[Action]
    ACTION_SKIP: _ClassVar[Action]
    ACTION_WARN: _ClassVar[Action]
    ACTION_FIX: _ClassVar[Action]
STATUS_UNSPECIFIED: Status
STATUS_CLASSIFIED: Status
STATUS_SKIPPED: Status
STATUS_REJECTED: Status
ACTION_UNSPECIFIED: Action
ACTION_REJECT: Action
ACTION_SKIP: Action
ACTION_WARN: Action
ACTION_FIX: Action

class ClassifyRequest(_message.Message):
    __slots__ = ("slices", "names")
    SLICES_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    slices: _containers.RepeatedScalarFieldContainer[bytes]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, slices: _Optional[_Iterable[bytes]] = ..., names: _Optional[_Iterable[str]] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("request_id", "model", "slices", "timings_ms")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: Model
    slices: _containers.RepeatedCompositeFieldContainer[SliceResult]
    timings_ms: Timings
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., slices: _Optional[_Iterable[_Union[SliceResult, _Mapping]]] = ..., timings_ms: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class ClassifyStreamRequest(_message.Message):
    __slots__ = ("id", "dicom", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    DICOM_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    dicom: bytes
    name: str
    def __init__(self, id: _Optional[str] = ..., dicom: _Optional[bytes] = ..., name: _Optional[str] = ...) -> None: ...

class ClassifyStreamResponse(_message.Message):
    __slots__ = ("id", "request_id", "result", "problem", "timings_ms", "model")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    result: SliceResult
    problem: Problem
    timings_ms: Timings
    model: Model
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ..., result: _Optional[_Union[SliceResult, _Mapping]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ..., timings_ms: _Optional[_Union[Timings, _Mapping]] = ..., model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "tag", "version", "assumed_prevalence")
    class AssumedPrevalenceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_PREVALENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    tag: str
    version: str
    assumed_prevalence: _containers.ScalarMap[str, float]
    def __init__(self, name: _Optional[str] = ..., tag: _Optional[str] = ..., version: _Optional[str] = ..., assumed_prevalence: _Optional[_Mapping[str, float]] = ...) -> None: ...

class SliceResult(_message.Message):
    __slots__ = ("index", "file_name", "sop_instance_uid", "series_instance_uid", "study_instance_uid", "status", "probabilities", "findings", "any_consistent", "window", "warnings", "errors", "frame")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SOP_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    SERIES_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    STUDY_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    ANY_CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    index: int
    file_name: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    status: Status
    probabilities: Probabilities
    findings: _containers.RepeatedScalarFieldContainer[str]
    any_consistent: bool
    window: Window
    warnings: _containers.RepeatedCompositeFieldContainer[Violation]
    errors: _containers.RepeatedCompositeFieldContainer[Violation]
    frame: int
    def __init__(self, index: _Optional[int] = ..., file_name: _Optional[str] = ..., sop_instance_uid: _Optional[str] = ..., series_instance_uid: _Optional[str] = ..., study_instance_uid: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., probabilities: _Optional[_Union[Probabilities, _Mapping]] = ..., findings: _Optional[_Iterable[str]] = ..., any_consistent: _Optional[bool] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., frame: _Optional[int] = ...) -> None: ...

class Probabilities(_message.Message):
    __slots__ = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
    EPIDURAL_FIELD_NUMBER: _ClassVar[int]
    INTRAPARENCHYMAL_FIELD_NUMBER: _ClassVar[int]
    INTRAVENTRICULAR_FIELD_NUMBER: _ClassVar[int]
    SUBARACHNOID_FIELD_NUMBER: _ClassVar[int]
    SUBDURAL_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    epidural: float
    intraparenchymal: float
    intraventricular: float
    subarachnoid: float
    subdural: float
    any: float
    def __init__(self, epidural: _Optional[float] = ..., intraparenchymal: _Optional[float] = ..., intraventricular: _Optional[float] = ..., subarachnoid: _Optional[float] = ..., subdural: _Optional[float] = ..., any: _Optional[float] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("center", "width", "substituted")
    CENTER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    SUBSTITUTED_FIELD_NUMBER: _ClassVar[int]
    center: float
    width: float
    substituted: bool
    def __init__(self, center: _Optional[float] = ..., width: _Optional[float] = ..., substituted: _Optional[bool] = ...) -> None: ...

class Violation(_message.Message):
    __slots__ = ("code", "action", "message", "keyword", "tag")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    code: str
    action: Action
    message: str
    keyword: str
    tag: str
    def __init__(self, code: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., message: _Optional[str] = ..., keyword: _Optional[str] = ..., tag: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("receive", "decode", "queue", "infer", "total")
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    INFER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    receive: float
    decode: float
    queue: float
    infer: float
    total: float
    def __init__(self, receive: _Optional[float] = ..., decode: _Optional[float] = ..., queue: _Optional[float] = ..., infer: _Optional[float] = ..., total: _Optional[float] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "kind", "detail", "request_id", "violations", "omitted_violations")
    CODE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    code: str
    kind: str
    detail: str
    request_id: str
    violations: _containers.RepeatedCompositeFieldContainer[SharedViolation]
    omitted_violations: int
    def __init__(self, code: _Optional[str] = ..., kind: _Optional[str] = ..., detail: _Optional[str] = ..., request_id: _Optional[str] = ..., violations: _Optional[_Iterable[_Union[SharedViolation, _Mapping]]] = ..., omitted_violations: _Optional[int] = ...) -> None: ...

class SharedViolation(_message.Message):
    __slots__ = ("violation", "slice_indices")
    VIOLATION_FIELD_NUMBER: _ClassVar[int]
    SLICE_INDICES_FIELD_NUMBER: _ClassVar[int]
    violation: Violation
    slice_indices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, violation: _Optional[_Union[Violation, _Mapping]] = ..., slice_indices: _Optional[_Iterable[int]] = ...) -> None: ...
