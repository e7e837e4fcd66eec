"""Autoencoders, stacks and convolved features with the contract of scikit-learn."""
