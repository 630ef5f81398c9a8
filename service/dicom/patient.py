"""Patient: a key that groups slices of one patient in training data without naming anyone."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pydicom

SALT = b"ich-serve-patient-key"


def patient_key(body: bytes) -> str:
    """Salted SHA-256 (16 hex digits) of PatientID (0010,0020), else of the study's UID.

    For training data, which the gate accepted already; never used while serving.
    """
    tags = ["PatientID", "StudyInstanceUID"]
    dataset = pydicom.dcmread(BytesIO(body), specific_tags=tags, stop_before_pixels=True)
    text = str(dataset.get("PatientID") or dataset.get("StudyInstanceUID") or "")
    return hashlib.sha256(SALT + text.encode()).hexdigest()[:16]
