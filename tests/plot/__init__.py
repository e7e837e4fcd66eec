"""Tests of pictures of a model."""
