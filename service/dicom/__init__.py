"""dicom: bytes to Hounsfield units. The only room of the service that knows pydicom."""
