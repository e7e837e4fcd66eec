"""What skl2onnx asks of a step of a pipeline: ``skl2onnx.to_onnx(pipeline, X[:1])``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._chain import Chain
from ._model import import_onnx
from ._parts import add_outputs, parts_of, refuse

_Names = list[tuple[str, Any]]
_FLOATS = {"FloatTensorType": np.float32, "DoubleTensorType": np.float64}


class OnnxConvertible:
    """A transformer or classifier that skl2onnx converts without being told how.

    It calls the three methods; each gives the function for one of its stages. Numbers are computed in the type of the
    samples, float32 for integers. A classifier gives ``label`` and ``probabilities``, a tensor whatever the option
    ``zipmap`` says.
    """

    _no_onnx: ClassVar[str | None] = None
    """Why there is no such model."""

    def onnx_parser(self) -> Callable[..., _Names]:
        """Outputs, for skl2onnx: their names and types."""
        refuse(self)
        _register(type(self), _is_classifier(self))
        return lambda scope=None, inputs=None: _outputs(self, inputs)

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """Checks of the inputs, and shapes of the outputs, for skl2onnx."""
        return lambda operator: _set_shapes(self, operator)

    def onnx_converter(self) -> Callable[[Any, Any, Any], None]:
        """What adds the nodes, for skl2onnx."""
        return lambda scope, operator, container: _convert(self, scope, operator, container)


def _is_classifier(model: Any) -> bool:
    return hasattr(model, "predict_proba")


def _register(kind: type, is_classifier: bool) -> None:
    """For what skl2onnx looks up by class: searches over our models, and its option ``zipmap``, which pipelines set."""
    from skl2onnx import update_registered_converter

    alias = f"SaeFast{kind.__name__}"

    def parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        refuse(model)
        operator = scope.declare_local_operator(alias, model)
        operator.inputs = inputs
        for name, tensor in _outputs(model, inputs):
            operator.outputs.append(scope.declare_local_variable(name, tensor))
        return operator.outputs

    def set_shapes(operator: Any) -> None:
        _set_shapes(operator.raw_operator, operator)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        _convert(operator.raw_operator, scope, operator, container)

    options = {"zipmap": [True, False]} if is_classifier else {}
    update_registered_converter(kind, alias, set_shapes, convert, overwrite=True, parser=parse, options=options)


def _outputs(model: Any, inputs: Any) -> _Names:
    if not _is_classifier(model):
        return [("variable", _float_type(inputs)())]
    return [("label", _label_type(model)), ("probabilities", _float_type(inputs)())]


def _label_type(model: Any) -> Any:
    from skl2onnx.common import data_types

    classes = parts_of(model).classes
    assert classes is not None
    names = {"i": "Int64TensorType", "b": "BooleanTensorType", "f": "DoubleTensorType", "O": "StringTensorType"}
    return getattr(data_types, names[classes.dtype.kind])([None])


def _float_type(inputs: Any) -> Any:
    """skl2onnx's type of what is computed: double where an input is."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if any(isinstance(i.type, DoubleTensorType) for i in inputs) else FloatTensorType


def _set_shapes(model: Any, operator: Any) -> None:
    shapes = [i.type.shape for i in operator.inputs]
    if all(len(shape) == 2 and isinstance(shape[1], int) for shape in shapes):
        n, wanted = sum(shape[1] for shape in shapes), model.n_features_in_
        if n != wanted:
            raise ValueError(f"X must have {wanted} features, which {type(model).__name__} was fitted to, got {n}")
    kind = _float_type(operator.inputs)
    if not _is_classifier(model):
        operator.outputs[0].type = kind([None, len(model.get_feature_names_out())])
        return
    _check_last(model, operator)
    operator.outputs[0].type = _label_type(model)
    operator.outputs[1].type = kind([None, len(model.classes_)])


def _check_last(model: Any, operator: Any) -> None:
    """In a pipeline a classifier before the last step hands on codes, of which skl2onnx does not know."""
    mine = {variable.onnx_name for variable in operator.outputs}
    for other in operator.scope_inst.operators.values():
        if other.raw_operator is not None and mine <= {variable.onnx_name for variable in other.inputs}:
            raise ValueError(
                f"{type(model).__name__} must be the last step for skl2onnx, which would hand label and probabilities, "
                f"not codes, to {type(other.raw_operator).__name__}: put sae_fast.StackedAutoencoder there instead"
            )


def _convert(model: Any, scope: Any, operator: Any, container: Any) -> None:
    graph = _ContainerGraph(scope, container, _FLOATS[_float_type(operator.inputs).__name__])
    x = graph.samples(operator.inputs)
    names = [variable.onnx_name for variable in operator.outputs]
    if hasattr(model, "_fold_layers"):
        wanted: Mapping[str, str] = (
            {"label": names[0], "probabilities": names[1]} if _is_classifier(model) else {"codes": names[0]}
        )
        add_outputs(graph, x, parts_of(model), wanted)
    else:
        Chain(graph, x).add(model, names[0])


class _ContainerGraph:
    """Nodes of a graph of skl2onnx's; see :class:`Graph`."""

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        self._scope, self._container = scope, container
        self.dtype, self.opset = np.dtype(dtype), int(container.target_opset)
        self._helper = import_onnx().helper

    def constant(self, name: str, values: NDArray[Any]) -> str:
        unique = str(self._scope.get_unique_variable_name(name))
        kind = self._helper.np_dtype_to_tensor_dtype(values.dtype)
        flat = [v.encode() for v in values] if values.dtype == object else values.ravel()
        self._container.add_initializer(unique, kind, values.shape, flat)
        return unique

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = self._scope.get_unique_operator_name(kind)
        result = output or str(self._scope.get_unique_variable_name(kind.lower()))
        self._container.add_node(kind, list(inputs), result, name=name, op_version=self.opset, **attributes)
        return result

    def samples(self, inputs: Any) -> str:
        """All features side by side, in the graph's type: skl2onnx may have an input for each column."""
        wanted = self._helper.np_dtype_to_tensor_dtype(self.dtype)
        columns = [
            i.onnx_name
            if _FLOATS.get(type(i.type).__name__) == self.dtype
            else self.node("Cast", i.onnx_name, to=wanted)
            for i in inputs
        ]
        return columns[0] if len(columns) == 1 else self.node("Concat", *columns, axis=1)
