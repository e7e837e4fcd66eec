"""skl2onnx.to_onnx of whole pipelines with steps of this package, which it finds without being told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import sae_fast as sf
from tests.helpers.estimators import correlated, model, stack
from tests.helpers.onnx_models import run

skl2onnx = pytest.importorskip("skl2onnx")
X = correlated()
Y = np.arange(len(X)) % 3
TOL = {np.float32: 1e-5, np.float64: 1e-12}
NO_ZIPMAP = {"zipmap": False}  # of LogisticRegression; with it skl2onnx takes no double


def quick(**options):
    return model(**{"max_iter": 5, "output": "linear"} | options)


def classifier(**options):
    return sf.StackedAutoencoderClassifier(
        (6, 4), **{"output": "linear", "max_iter": 5, "fine_tune_max_iter": 5, "random_state": 0} | options
    )


@pytest.mark.parametrize("dtype", TOL)
@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler(), quick()],
        [sf.UnitScaler(), sf.ZCAWhitener(epsilon=0.1), quick(scale="ufldl")],
        [sf.UFLDLScaler(), stack(max_iter=5, output="linear")],
        [sf.PCAWhitener(n_components=5, epsilon=0.1), sf.UnitScaler(clip=True), quick(hidden="tanh")],
        [make_union(quick(), sf.UnitScaler(clip=True))],
        [make_column_transformer((quick(scale="minmax"), [0, 2, 3]), ("passthrough", [1, 5]))],
    ],
)
def test_pipelines_with_a_classifier_of_scikit_learn(steps, dtype):
    """Label and probabilities, and the features before them, are those of the pipeline."""
    data = X.astype(dtype)
    fitted = make_pipeline(*steps, LogisticRegression()).fit(data, Y)
    found = run(skl2onnx.to_onnx(fitted, data[:1], options=NO_ZIPMAP), data)
    # LogisticRegression of skl2onnx is in float32 at its end.
    np.testing.assert_allclose(found["probabilities"], fitted.predict_proba(data), rtol=1e-5, atol=1e-5)
    assert found["label"].tolist() == fitted.predict(data).tolist()
    features = fitted[:-1]
    (found,) = run(skl2onnx.to_onnx(features, data[:1]), data).values()
    wanted = features.transform(data)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=TOL[dtype], atol=TOL[dtype] * abs(wanted).max())


def test_the_default_options():
    """As it is first tried: probabilities come as dictionaries, as skl2onnx has them of LogisticRegression."""
    data = X.astype(np.float32)
    fitted = make_pipeline(StandardScaler(), quick(), LogisticRegression()).fit(data, Y)
    label, rows = run(skl2onnx.to_onnx(fitted, data[:1]), data).values()
    assert label.tolist() == fitted.predict(data).tolist()
    np.testing.assert_allclose([[row[k] for k in range(3)] for row in rows], fitted.predict_proba(data), atol=1e-5)


@pytest.mark.parametrize("dtype", TOL)
@pytest.mark.parametrize("options", [None, NO_ZIPMAP])
@pytest.mark.parametrize("labels", [Y, np.array(["a", "b", "c"])[Y], Y > 0, Y.astype(float)])
def test_our_classifier(labels, options, dtype):
    """At the end of a pipeline, and by itself: a tensor of probabilities with any options, the second time too."""
    data = X.astype(dtype)
    for fitted in (make_pipeline(StandardScaler(), classifier()).fit(data, labels), classifier().fit(data, labels)):
        for _ in range(2):
            found = run(skl2onnx.to_onnx(fitted, data[:1], options=options), data)
            assert list(found) == ["label", "probabilities"]
            assert found["label"].tolist() == fitted.predict(data).tolist()
            wanted = fitted.predict_proba(data)
            np.testing.assert_allclose(found["probabilities"], wanted, rtol=10 * TOL[dtype], atol=TOL[dtype])


@pytest.mark.parametrize("dtype", TOL)
@pytest.mark.parametrize(
    "step",
    [
        sf.UnitScaler(),
        sf.UnitScaler(clip=True, per_feature=False),
        sf.UFLDLScaler(),
        sf.PCAWhitener(n_components=3),
        sf.ZCAWhitener(epsilon=0.1),
        quick(scale="minmax", hidden="satlin"),
        stack(max_iter=5, output="linear"),
        GridSearchCV(quick(), {"n_components": [2, 3]}, cv=2),
    ],
)
def test_single_transformers(step, dtype):
    """Each is converted by itself, of data that lie beyond those of training too."""
    data = X.astype(dtype)
    far = np.concatenate([data, data * 3 - 2])
    fitted = step.fit(data)
    made = skl2onnx.to_onnx(fitted, data[:1])
    wanted = fitted.transform(far)
    (found,) = run(made, far).values()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=TOL[dtype], atol=10 * TOL[dtype] * abs(wanted).max())
    assert [d.dim_value for d in made.graph.output[0].type.tensor_type.shape.dim][1:] == [wanted.shape[1]]


def test_integers_and_columns_of_a_table():
    """Integers become float32, and a table has an input for each column."""
    data = np.random.default_rng(0).integers(0, 255, (50, 4))
    fitted = quick(scale="minmax").fit(data)
    (found,) = run(skl2onnx.to_onnx(fitted, data[:1]), data).values()
    np.testing.assert_allclose(found, fitted.transform(data), rtol=1e-5)
    table = pd.DataFrame({"a": data[:, 0] / 3.0, "b": data[:, 1] / 7.0})
    fitted = quick(scale="minmax").fit(table)
    made = skl2onnx.to_onnx(fitted, table[:1])
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: table[[name]].to_numpy() for name in table})
    np.testing.assert_allclose(found, fitted.transform(table), rtol=1e-12)


@pytest.mark.parametrize(
    ("fitted", "error", "words"),
    [
        (
            make_pipeline(sf.ConvolvedFeatures(sf.init_params(3, 2, random_state=0), (1, 3)), LogisticRegression()),
            TypeError,
            "ConvolvedFeatures cannot be converted to ONNX: .* convert the steps behind it",
        ),
        (make_pipeline(classifier(), LogisticRegression()), ValueError, "must be the last step for skl2onnx, .*codes"),
    ],
)
def test_what_cannot_be_converted(fitted, error, words):
    """It says so, and what to do."""
    with pytest.raises(error, match=words):
        skl2onnx.to_onnx(fitted.fit(X, Y), X[:1])


def test_patches_are_refused():
    """They are rows that are drawn."""
    images = np.random.default_rng(0).random((3, 8, 8))
    fitted = make_pipeline(sf.PatchExtractor(4, 20), sf.ZCAWhitener(epsilon=0.1)).fit(images)
    with pytest.raises(TypeError, match=r"PatchExtractor cannot be converted to ONNX: .* give them patches"):
        skl2onnx.to_onnx(fitted, np.zeros((1, 8)))


def test_detectors_are_refused():
    """With words that say what can be converted."""
    fitted = sf.SparseAutoencoderOutlierDetector(3, max_iter=3, random_state=0).fit(X)
    with pytest.raises(TypeError, match=r"OutlierDetector cannot be converted to ONNX: .* convert its autoencoder_"):
        skl2onnx.to_onnx(fitted, X[:1])
    assert list(run(skl2onnx.to_onnx(fitted.autoencoder_, X[:1]), X)) == ["variable"]


def test_other_numbers_of_features():
    """A sample of another width is refused when it is converted."""
    with pytest.raises(ValueError, match="X must have 9 features, which SparseAutoencoder was fitted to, got 4"):
        skl2onnx.to_onnx(quick().fit(X), X[:1, :4])
