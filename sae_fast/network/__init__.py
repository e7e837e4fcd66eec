"""Functions on NumPy arrays: codes, cost and gradients, training; with types, checks, settings. Needs NumPy alone."""
