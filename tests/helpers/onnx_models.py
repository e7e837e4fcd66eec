"""ONNX models run by ONNX Runtime."""

from __future__ import annotations

import pytest


def run(model, X, names=None):
    """Outputs by name, of a model or a file."""
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    source = str(model) if hasattr(model, "exists") else model.SerializeToString()
    session = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = names or [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: X})))


def about(model):
    """The metadata."""
    return {entry.key: entry.value for entry in model.metadata_props}
