"""Trained layers with their weights packed, and folding what comes before them into these. Needs NumPy alone."""
