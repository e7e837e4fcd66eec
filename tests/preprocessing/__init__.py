"""Tests of patches, scalers, whitening."""
