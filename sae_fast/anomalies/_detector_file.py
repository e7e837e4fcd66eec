"""The model file of an outlier detector: that of its autoencoder, with what makes scores and the threshold beside it.

Tensors ``feature_scale``, ``feature_mean`` and ``calibration_scores``, and the field ``offset``. Hyper-parameters are
the detector's.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

from numpy.typing import NDArray

from ..estimators._estimator import SparseAutoencoder
from ..estimators._estimator_file import contents_of, estimator_from, hyper_parameters, make
from ..files._kinds import DETECTOR
from ..files._model_file import write

_TENSORS = ("feature_scale", "feature_mean", "calibration_scores")


def save(detector: Any, path: str | PathLike[str]) -> None:
    """Write a fitted detector; see :meth:`sae_fast.SparseAutoencoderOutlierDetector.save`."""
    contents = contents_of(detector.autoencoder_, hyper_parameters(detector))
    contents.arrays |= {name: getattr(detector, f"{name}_") for name in _TENSORS}
    write(path, contents, {"kind": DETECTOR, "offset": detector.offset_})


def detector_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The detector that checked contents hold."""
    detector = make(path, kind, about["hyper_parameters"])
    for name in _TENSORS:
        setattr(detector, f"{name}_", tensors[name])
    detector.offset_ = float(about["offset"])
    known = SparseAutoencoder().get_params()
    hyper = {name: value for name, value in detector.get_params().items() if name in known}
    rest = {name: array for name, array in tensors.items() if name not in _TENSORS}
    detector.autoencoder_ = estimator_from(SparseAutoencoder, path, rest, about | {"hyper_parameters": hyper})
    detector.n_features_in_ = detector.autoencoder_.n_features_in_
    if hasattr(detector.autoencoder_, "feature_names_in_"):
        detector.feature_names_in_ = detector.autoencoder_.feature_names_in_
    return detector
