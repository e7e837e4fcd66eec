"""Tests of the NumPy twin by hand."""
