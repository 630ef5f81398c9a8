"""CT-ICH JPEG: PhysioNet CT-ICH v1.0.0, 8-bit brain-window slices without Hounsfield units.

root/hemorrhage_diagnosis.csv                          SliceNumber counts from 1
root/Patients_CT/<049..130>/brain/<slice>.jpg          650 x 650
root/Patients_CT/<049..130>/brain/<slice>_HGE_Seg.jpg  masks, on positive slices only
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.ct_ich_labels import Diagnosis, read_age_groups, read_diagnoses
from model_build.adapters.pictures import (
    GREY_WINDOW,
    mask_of,
    read_grey,
    square_voxels,
    without_border,
)
from model_build.adapters.records import Item, Listing, Record, SourceFacts, key

FACTS = SourceFacts("ct_ich_jpeg", "1.0.0", "CC BY 4.0", hounsfield=False, external=True)
_BORDER = 5  # pixels; 650 -> 640, as the authors did for their U-Net
_MASK_THRESHOLD = 127  # JPEG blurs the edge of a mask


@dataclass(frozen=True, slots=True)
class CtIchJpegSource:
    """The JPEG release: for the U-Net and 8-bit baselines, refused for networks of HU."""

    root: Path
    labels: Path | None = None

    @property
    def facts(self) -> SourceFacts:
        """No Hounsfield units; external."""
        return FACTS

    @property
    def variant(self) -> str:
        """There are no options."""
        return FACTS.name

    @property
    def masks(self) -> Path | None:
        """`read` makes them."""
        return None

    def listing(self) -> Listing:
        """Every labelled slice, by patient and slice (see `SliceSource.listing`)."""
        rows, corrections = read_diagnoses(self.labels or self.root / "hemorrhage_diagnosis.csv")
        ages = read_age_groups(self.root / "Patient_demographics.csv")
        items, counts = [], {"labelled_without_file": 0, "bone_image_missing": 0}
        counts |= {"positive_without_mask": 0, "mask_on_negative_slice": 0}
        for row in rows:
            home = self.root / "Patients_CT" / f"{row.patient:03d}"
            picture = home / "brain" / f"{row.number}.jpg"
            if not picture.exists():
                counts["labelled_without_file"] += 1
                continue
            mask = home / "brain" / f"{row.number}_HGE_Seg.jpg"
            counts["bone_image_missing"] += not (home / "bone" / picture.name).exists()
            counts["positive_without_mask"] += bool(row.labels[-1]) and not mask.exists()
            counts["mask_on_negative_slice"] += not row.labels[-1] and mask.exists()
            items.append(_item(row, picture, mask, ages.get(row.patient, "")))
        if not items:
            raise FileNotFoundError("Patients_CT holds no picture of a labelled slice")
        return Listing(items, corrections | {code: n for code, n in counts.items() if n})

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Grey values of the brain window, and the mask of positive slices."""
        yield from map(_read, items)


def _item(row: Diagnosis, picture: Path, mask: Path, group: str) -> Item:
    patient = key(f"ct_ich/{row.patient}")
    name = f"{patient}_{row.number:03d}"
    drawn = mask if mask.exists() and row.labels[-1] else None
    return Item(picture, name, row.labels, row.number - 1, group=group, patient=patient, mask=drawn)


def _read(item: Item) -> Record:
    try:
        grey = without_border(read_grey(item.path), _BORDER)
        drawn = without_border(read_grey(item.mask), _BORDER) if item.mask else None
    except OSError:
        return Record(item, item.patient, refused="picture_corrupt")
    if grey.shape[0] != grey.shape[1] or (drawn is not None and drawn.shape != grey.shape):
        return Record(item, item.patient, refused="picture_shape")
    value = Diagnosis(0, 0, item.labels or ()).mask_value
    return Record(
        item,
        item.patient,
        study_key=item.patient,
        series_key=item.patient,
        order=float(item.place),  # slice numbers: the release gives no distances
        voxels=square_voxels(grey),
        window=GREY_WINDOW,
        mask=None if drawn is None else mask_of(drawn > _MASK_THRESHOLD, value),
        syntax="JPEG",
    )
