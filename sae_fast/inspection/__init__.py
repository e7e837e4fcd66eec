"""What can be done with fitted models and beside them: comparing, pruning, reviving, searching. Needs scikit-learn."""
