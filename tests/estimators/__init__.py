"""Tests of autoencoders, stacks, convolved features."""
