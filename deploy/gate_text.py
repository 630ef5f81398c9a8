"""Gate text: the sentences of docs/input-gate.md that follow from no table."""

from __future__ import annotations

INTRO = """# The input gate

Research use, not a medical device. This page is written by `make gate-docs` from the code; change
the rules, not the page.

Every object is read within bounds, judged by all rules, decoded in a process that may be killed,
and looked at. All violations are reported, each by a stable code, with the element and never with
its value. The same code reads training data.
"""
VERDICTS = """| action | meaning | the slice |
|---|---|---|
| reject | no usable DICOM object, or over a limit | has no result; the failure says why |
| skip | valid DICOM, but a probability would mean nothing | is not assessed |
| warn | outside what the model is meant for | is classified, with a warning |
| fix | a documented correction | is classified, with the code of the correction |

A request is answered as a failure only when none of its slices was classified, with the status of
the kind that the client can act on first. STOW-RS names each instance: classified, warned and
corrected ones in ReferencedSOPSequence, skipped ones there too with WarningReason B007 (a sender
such as Orthanc fails a whole series for one failed instance), rejected ones by the table below; an
instance whose UIDs cannot be read goes to OtherFailures.
"""
FRAMES = """## Multi-frame objects

Enhanced CT and Legacy Converted Enhanced CT objects (PS3.3 A.38, A.70) are taken apart: each frame
is judged, decoded and answered like a slice of its own, with the UIDs of the object and its frame
number from 1 (`frame`; null for other objects). Orientation, spacing, thickness, rescale, window,
frame type, tube voltage, kernel, anatomy and contrast come from the shared and per-frame functional
groups. Compressed frames are found by the Extended or Basic Offset Table; without one only when
each frame is one fragment. What is wrong with the object as a whole is one answer without a frame.
Every frame takes a place in the queue. A deflated object is bounded by `ICH_MAX_INFLATED_BYTES`.
"""
CONTENT = """## The content check

Does the picture look like an axial slice of a head in Hounsfield units? It is measured on about 128
x 128 points: air around, tissue and its edge, bone, what bone encloses, the median of that. The
largest areas need the pixel spacing; without it those limits do not apply. It finds chests, test
phantoms, noise, inverted values, MR signals and wrong slopes; it does not find a head of another
kind (contrast, another species, an old slice).
`not_head_like` is chosen so that no head slice breaks it, from the vertex to the base of the skull.
It has no settings but `ICH_CONTENT`: a changed limit has to be measured again.
Measured by `python -m model_build gate-limits --heads DIR --others DIR`:
"""
FAMILIES = """Of each slice of the heads above pictures are made that are no head in HU any
more, with its tags kept (`model_build/gate_families.py`). This is what is found of them:
"""
