"""Models as ONNX: codes, reconstructions, labels and probabilities, for ONNX Runtime and whatever else reads it.

:func:`to_onnx` writes a model of this package, with all that it does to its samples first. Pipelines that go on with
other estimators are converted by skl2onnx, which finds what it needs in the transformers and classifiers of this
package::

    skl2onnx.to_onnx(make_pipeline(StandardScaler(), SparseAutoencoder(25), LogisticRegression()).fit(X, y), X[:1])

Examples
--------
>>> import numpy as np, sae_fast as sf
>>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 8))
>>> model = sf.SparseAutoencoder(4, max_iter=10, random_state=0).fit(X)
>>> [output.name for output in sf.onnx.to_onnx(model).graph.output]
['codes', 'reconstruction']
"""

from __future__ import annotations

from ._to_onnx import to_onnx

__all__ = ["to_onnx"]
