"""KSparseEncoder as a step of scikit-learn's pipelines."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sae_fast as sf

D, H = 10, 32


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(H, D)).astype(np.float32)
    encoder = sf.KSparseEncoder(
        W, np.zeros(H, np.float32), W, np.zeros(D, np.float32), k=4, feature_names=[f"f{j}" for j in range(D)]
    )
    X = rng.normal(size=(300, D)).astype(np.float32)
    return encoder, X, X[:, 0] > 0


def test_pipeline(example):
    """A classifier learns from the codes, as if it was given them; pickled, too."""
    encoder, X, y = example
    pipeline = make_pipeline(encoder, LogisticRegression()).fit(X, y)
    alone = LogisticRegression().fit(encoder(X), y)
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(encoder(X)))
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(X), pipeline.predict(X))
    assert pipeline.score(X, y) > 0.8


def test_search(example):
    """A grid search clones pipelines around the encoder, and changes the other steps."""
    encoder, X, y = example
    search = GridSearchCV(
        make_pipeline(StandardScaler(), encoder, LogisticRegression()), {"logisticregression__C": [1e-6, 1.0]}, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"logisticregression__C": 1.0}
    assert search.best_estimator_[1] is encoder is clone(encoder)


def test_names(example):
    """Latents have names; columns go by theirs."""
    encoder, X, _ = example
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=encoder.feature_names)
    columns = ColumnTransformer([("codes", encoder, list(frame.columns))]).fit(frame)
    assert columns.get_feature_names_out().tolist() == [f"codes__ksparseencoder{j}" for j in range(H)]
    assert (columns.transform(frame) != encoder(X)).nnz == 0
    with pytest.raises(ValueError, match="input_features must be the encoder's feature_names or None"):
        encoder.get_feature_names_out(frame.columns[::-1])


def test_bad_samples(example):
    """What a call refuses, fit refuses already."""
    encoder, X, y = example
    pipeline = make_pipeline(encoder, LogisticRegression())
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 10\), got \(300, 9\)"):
        pipeline.fit(X[:, :9], y)
