"""Tests of functions on arrays, of the core and of its twin."""
