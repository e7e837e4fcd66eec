"""Tests of comparing, pruning, reviving, searching."""
