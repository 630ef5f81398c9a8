"""Multi-frame: phantom slices written as one Enhanced CT object, for the tests of the input gate.

slices of one series -> what they share -> shared functional groups, what differs -> per-frame ones
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID

from model_build.synthetic.dicom_edit import put

ENHANCED_CT = UID("1.2.840.10008.5.1.4.1.1.2.1")
# Macro -> its elements, by whether the macro is the same for all frames (PS3.3 A.38 and C.7.6.16).
_SHARED = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "CTXRayDetailsSequence": ("KVP",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
}
_PER_FRAME = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth"),
}


def enhanced(slices: Sequence[Dataset]) -> Dataset:
    """One Enhanced CT object of native slices; its SOP Instance UID is that of the first."""
    first = slices[0]
    made = Dataset()
    made.file_meta = first.file_meta
    moved = {name for macro in (_SHARED | _PER_FRAME).values() for name in macro}
    for element in first:
        if element.keyword not in moved:
            made.add(element)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = ENHANCED_CT
    put(made, "NumberOfFrames", str(len(slices)))
    shared = _groups(first, _SHARED)
    shared.FrameAnatomySequence = [_anatomy()]
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = [_frame(item) for item in slices]
    put(made, "PixelData", b"".join(item.PixelData for item in slices))
    return made


def _frame(item: Dataset) -> Dataset:
    groups = _groups(item, _PER_FRAME)
    kind = Dataset()
    put(kind, "FrameType", [*item.ImageType[:2], "VOLUME", "NONE"])
    groups.CTImageFrameTypeSequence = [kind]
    return groups


def _groups(item: Dataset, macros: dict[str, tuple[str, ...]]) -> Dataset:
    """The macros for which the slice has a value."""
    groups = Dataset()
    for name, keywords in macros.items():
        macro = Dataset()
        for keyword in keywords:
            if keyword in item:
                macro.add(item[keyword])
        if len(macro):
            setattr(groups, name, [macro])
    return groups


def _anatomy() -> Dataset:
    """SNOMED CT 12738006, Brain (PS3.16 CID 4030)."""
    code = Dataset()
    for keyword, value in (
        ("CodeValue", "12738006"),
        ("CodingSchemeDesignator", "SCT"),
        ("CodeMeaning", "Brain"),
    ):
        put(code, keyword, value)
    region = Dataset()
    region.AnatomicRegionSequence = [code]
    put(region, "FrameLaterality", "U")
    return region
