"""Tests of outlier detectors."""
