"""Samples unlike those that a model has learned."""
