"""Tests of tables, labels and model files."""
