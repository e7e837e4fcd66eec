"""Tests of other packages' costs, layouts and files."""
