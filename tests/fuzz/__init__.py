"""Targets for libFuzzer, and what runs them: ``python -m tests.fuzz``."""
