"""model: the networks. Torch and nothing of DICOM; Hounsfield units in, logits out."""
