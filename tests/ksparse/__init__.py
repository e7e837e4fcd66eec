"""Tests of layers with packed weights, folding."""
