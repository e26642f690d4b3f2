"""A network as an ONNX file, made of the graph that it records: ``python -m examples.exchange.onnx_export`` writes ``out/digits.onnx``.

Each node of the graph knows the function that made it and its arguments, and a table says what ONNX calls that function.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, checker, helper, numpy_helper
from onnxruntime import InferenceSession

from tinygrad_hw import Tensor, nn
from tinygrad_hw.graph import Node, history

from ..digits import cnn

ALIKE = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "maximum": "Max", "matmul": "MatMul"}
ALIKE |= {"negative": "Neg", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
# Of the others, from the function's arguments: ONNX's name, which of them are arrays there, and what else it is told.
OTHERS: dict[str, Callable[..., tuple[str, list[Any], dict[str, Any]]]] = {
    "convolution": lambda x, w, s, p, d, groups: ("Conv", [x, w], {"strides": s, "pads": p * 2, "dilations": d, "group": groups}),
    "largest": lambda x, size, s, p: ("MaxPool", [x], {"kernel_shape": size, "strides": s, "pads": p * 2}),
    "reshape": lambda x, shape: ("Reshape", [x, np.array([shape[0] * (shape[0] != len(x)), *shape[1:]])], {}),  # (0: as long as it was)
    "softmax": lambda x, axis=-1: ("Softmax", [x], {"axis": axis}),
    "log_softmax": lambda x, axis=-1: ("LogSoftmax", [x], {"axis": axis}),
}


def translated(node: Node) -> tuple[str, list[Any], dict[str, Any]]:
    """Return what ONNX calls a node's function, its arguments that are arrays, and what else ONNX is told."""
    name = node.rule.name
    if node.kwargs or name not in {*ALIKE, *OTHERS}:
        raise ValueError(f"there is no entry for {name}{node.kwargs or ''}; there are {', '.join([*ALIKE, *OTHERS])}")
    return OTHERS[name](*node.args) if name in OTHERS else (ALIKE[name], [np.asarray(arg, node.value.dtype) for arg in node.args], {})


def exported(net: nn.Module, x: np.ndarray) -> ModelProto:
    """Return a network as ONNX, of an input "x" like x, of any number of samples, and an output "y"; ValueError if it cannot be."""
    if net.training:
        raise ValueError("the network is in training, where Dropout and its like do something else: call net.eval() before")
    kind, given = helper.np_dtype_to_tensor_dtype(x.dtype), Tensor(x, requires_grad=True)
    y = net(given)
    names: dict[Node, str] = {tensor._node: path for path, tensor in (("x", given), *net.named_parameters())}
    constants, operations = [], []
    for i, node in enumerate(history([y._node])):
        names.setdefault(node, f"value_{i}" if node is not y._node else "y")
        if node.rule is None:
            constants += [numpy_helper.from_array(node.value, names[node])] if node is not given._node else []
            continue
        op, args, settings = translated(node)
        sources = node.inputs or dict(enumerate(node.parents))
        taken = [names[sources[j]] if sources.get(j) else f"value_{i}_{j}" for j in range(len(args))]
        constants += [numpy_helper.from_array(arg, name) for j, (arg, name) in enumerate(zip(args, taken)) if not sources.get(j)]
        operations.append(helper.make_node(op, taken, [names[node]], **settings))
    ends = [[helper.make_tensor_value_info(*end)] for end in (("x", kind, ["N", *x.shape[1:]]), ("y", kind, ["N", *y.shape[1:]]))]
    graph = helper.make_graph(operations, type(net).__name__, *ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model, full_check=True)
    return model


def main(path: Path = Path("out/digits.onnx")) -> float:
    """Export the CNN that reads digits; return how far its outputs in ONNX's own runtime are from those here."""
    net = cnn().reset_parameters(0).astype(np.float32).eval()
    model = exported(net, np.zeros((2, 1, 8, 8), np.float32))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    x = np.random.default_rng(0).random((50, 1, 8, 8), np.float32)
    (y,) = InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    difference = float(abs(y - net(x).numpy()).max())
    print(f"{len(model.graph.node)} nodes, {path.stat().st_size:,} bytes; onnxruntime's outputs are {difference:.0e} apart; {path}")
    return difference


if __name__ == "__main__":
    main()
