"""ICH Serve: DICOM head-CT slices in, six hemorrhage probabilities out. Research use only."""
