"""Model files of every kind as they were written when a format was the newest, to be read for ever.

``python -m tests.helpers.model_files`` writes those of the version at hand, with the codes of its models, to
``tests/data/models_format_<number>.zip``: once, before a newer format comes, so that ``tests/files/test_model_file.py``
sees that they are still read.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from sae_fast.files._model_format import FORMAT
from tests.helpers.hostile_files import KINDS, X
from tests.helpers.paths import DATA


def codes_of(model):
    """Codes of the samples that the models were fitted to."""
    return model.transform(X) if hasattr(model, "transform") else model(X)


def _bytes_of(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def write(path):
    """A zip file with each model's file, and its codes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        for kind, make in KINDS.items():
            stored = Path(folder, "model.safetensors")
            model = make()
            model.save(stored)
            model.__dict__.pop("feature_names_in_", None)
            archive.write(stored, f"{kind}.safetensors")
            archive.writestr(f"{kind}.npy", _bytes_of(codes_of(model)))


if __name__ == "__main__":
    write(DATA / f"models_format_{FORMAT}.zip")
