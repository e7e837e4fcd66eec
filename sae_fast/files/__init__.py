"""Tables, labels and model files, read and written. Needs NumPy alone, and the package of each format."""
