"""CT-ICH: PhysioNet CT-ICH v1.3.x, volumes in Hounsfield units (NIfTI) with masks.

root/hemorrhage_diagnosis_raw_ct.csv   SliceNumber counts from 1
root/ct_scans/049.nii[.gz]             (columns, rows, slices), orientation by its affine
root/masks/049.nii[.gz]                the same grid

The set is restricted (PhysioNet Restricted Health Data License 1.5.0): nothing of it may be
passed on; the cache is a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.ct_ich_labels import Diagnosis, read_age_groups, read_diagnoses
from model_build.adapters.pictures import mask_of
from model_build.adapters.records import Item, Listing, Record, SourceFacts, key
from model_build.adapters.volume import VolumeFault, fits_mask, read_volume
from service.dicom.hounsfield import Scale, implausible, to_hu
from service.dicom.resample import to_slice_size
from service.dicom.window_tags import BRAIN

FACTS = SourceFacts(
    "ct_ich", "1.3.x", "PhysioNet Restricted Health Data License 1.5.0", external=True
)


@dataclass(frozen=True, slots=True)
class CtIchSource:
    """The NIfTI release. Patients of the table without a scan are left out and counted."""

    root: Path
    labels: Path | None = None

    @property
    def facts(self) -> SourceFacts:
        """Restricted, external, slice labels."""
        return FACTS

    @property
    def variant(self) -> str:
        """There are no options."""
        return FACTS.name

    @property
    def masks(self) -> Path | None:
        """`read` makes them from the volumes."""
        return None

    def listing(self) -> Listing:
        """Every labelled slice, by patient and slice (see `SliceSource.listing`)."""
        table = self.labels or self.root / "hemorrhage_diagnosis_raw_ct.csv"
        rows, corrections = read_diagnoses(table)
        ages = read_age_groups(self.root / "Patient_demographics.csv")
        scans, masks = (_volumes(self.root / name) for name in ("ct_scans", "masks"))
        present = [row for row in rows if row.patient in scans]
        if not present:
            raise FileNotFoundError("ct_scans holds no volume of a labelled patient")
        if len(present) < len(rows):
            corrections["labelled_without_file"] = len(rows) - len(present)
        return Listing(
            [
                _item(row, scans[row.patient], masks.get(row.patient), ages.get(row.patient, ""))
                for row in present
            ],
            corrections,
        )

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Slices of one volume, after its mask was found to lie on blood and not elsewhere."""
        try:
            scan = read_volume(items[0].path)
            mask = read_volume(items[0].mask) if items[0].mask else None
            if mask is not None:
                fits_mask(scan, mask)
        except VolumeFault as fault:
            yield from (Record(item, item.patient, refused=fault.code) for item in items)
            return
        for item in items:
            if item.place >= scan.count:
                yield Record(item, item.patient, refused="slice_out_of_range")
                continue
            hu, fixes = to_hu(scan.image(item.place), Scale(signed=True))
            refused = next((each.code for each in implausible(hu)), "")
            inside = mask.image(item.place) > 0 if mask is not None else None
            usable_mask = inside is not None and bool(inside.any()) and not refused
            yield Record(
                item,
                item.patient,
                study_key=item.patient,
                series_key=item.patient,
                order=item.place * scan.spacing_mm[2],
                voxels=None if refused else to_slice_size(hu),
                window=(BRAIN.center, BRAIN.width),
                refused=refused,
                corrections=tuple(each.code for each in fixes),
                mask=mask_of(inside, _mask_value(item))
                if usable_mask and inside is not None
                else None,
                syntax="NIfTI",
                tilt_deg=scan.tilt_deg,
                spacing_mm=scan.spacing_mm[0],
            )


def _volumes(folder: Path) -> dict[int, Path]:
    """Volumes by patient number."""
    paths = [*folder.glob("*.nii"), *folder.glob("*.nii.gz")]
    names = {path: path.name.split(".")[0] for path in paths}
    return {int(name): path for path, name in names.items() if name.isdecimal()}


def _item(row: Diagnosis, scan: Path, mask: Path | None, group: str) -> Item:
    patient = key(f"ct_ich/{row.patient}")
    name = f"{patient}_{row.number:03d}"
    return Item(scan, name, row.labels, row.number - 1, group=group, patient=patient, mask=mask)


def _mask_value(item: Item) -> int:
    return Diagnosis(0, 0, item.labels or ()).mask_value
