"""Transformers that prepare data as UFLDL does: patches, scalers, whitening. Needs scikit-learn."""
