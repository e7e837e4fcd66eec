"""A trained encoder for programs without this package: C source, and a module that needs NumPy alone."""
