"""Whether data are still those that a model was made for."""
