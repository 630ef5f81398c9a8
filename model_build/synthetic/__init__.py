"""Synthetic: analytic head CT phantoms with known hemorrhages, as real DICOM files.

seed ─> geometry ─> anatomy ─> lesions ─> acquisition ─> labels ─> dicom_writer ─> folder
"""
