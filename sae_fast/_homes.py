"""Where what is public is defined: ``__init__.py`` imports it when it is first used; ``__init__.pyi`` has the types."""

from __future__ import annotations

HOMES = {
    "_public": ("skops_types",),
    "anomalies._detector": ("OddFeature", "SparseAutoencoderOutlierDetector"),
    "encoders._encoder": ("Encoder",),
    "encoders._fold": ("fold",),
    "encoders._stack_encoder": ("StackEncoder",),
    "estimators._convolved_features": ("ConvolvedFeatures",),
    "estimators._data_range": ("DataRangeWarning",),
    "estimators._estimator": ("SparseAutoencoder",),
    "estimators._fit": ("FitInterruptedWarning",),
    "estimators._ksparse_autoencoder": ("KSparseAutoencoder",),
    "estimators._stacked": ("StackedAutoencoder",),
    "estimators._stacked_classifier": ("StackedAutoencoderClassifier",),
    "estimators._unit_report": ("UnitReport", "UnitWarning"),
    "export._c": ("export_c",),
    "export._numpy": ("export_numpy",),
    "files._model_file": ("ModelFileError", "load"),
    "inspection._compare": ("Coder", "PCAComparison", "compare_with_pca"),
    "inspection._prune": ("PruneResult", "prune_units"),
    "inspection._revive": ("RevivalWarning", "ReviveUnits", "revive_units"),
    "inspection._suggest_beta": ("BetaSearch", "Trial", "suggest_beta"),
    "ksparse._codes": ("SparseCodes",),
    "ksparse._compare": ("KSparseComparison", "KSparseRow", "compare_k_sparse"),
    "ksparse._dictionaries": ("DictionaryMatch", "LatentSimilarities", "latent_similarities", "match_dictionary"),
    "ksparse._encoder": ("KSparseEncoder",),
    "ksparse._examples": ("TopExamples", "top_examples"),
    "ksparse._load_sae": ("load_sae",),
    "ksparse._retrieval": ("evaluate_retrieval",),
    "monitoring._monitor": ("Monitor",),
    "monitoring._report": ("MonitorReport",),
    "network._config": ("get_cmake_dir", "get_include", "get_num_threads", "set_num_threads", "show_config"),
    "network._convolve": ("convolve",),
    "network._functional": (
        "cost",
        "cost_and_grad",
        "decode",
        "deltas",
        "encode",
        "flatten",
        "forward",
        "init_params",
        "unflatten",
    ),
    "network._objective": ("Objective", "check_gradient"),
    "network._optimizers": ("Adam", "SGD"),
    "network._train": ("train",),
    "network._types": ("Cost", "DeepCost", "Deltas", "EpochInfo", "Forward", "History", "Layer", "Params"),
    "preprocessing._patch_extractor": ("PatchExtractor",),
    "preprocessing._scalers": ("UFLDLScaler", "UnitScaler"),
    "preprocessing._whitening": ("PCAWhitener", "ZCAWhitener"),
    "streams._open": ("open_source",),
    "streams._source": ("Source",),
}
PACKAGES = ("conventions", "onnx", "plot", "reference")
# Not public, but named by pickles of what is.
STORED = {
    "Chunks": "monitoring._looks",
    "MonitorHistory": "monitoring._history",
    "Network": "inspection._new_units",
    "Reference": "monitoring._reference",
    "UFLDLScale": "network._scale",
    "UnitScale": "network._scale",
    "from_layer": "encoders._encoder",
}
# Modules of version 0.1.0 that its pickles name: the package itself stands for them.
FORMER = (
    "_compare", "_convolved_features", "_deep_layers", "_encoder", "_estimator", "_new_units", "_patch_extractor",
    "_prune", "_revive", "_scale", "_scalers", "_stack_encoder", "_stacked", "_stacked_classifier", "_suggest_beta",
    "_types", "_unit_report", "_whitening",
)  # fmt: skip
