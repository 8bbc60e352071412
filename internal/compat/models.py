"""Writes models as others write them: operators in the forms that exporters use
and we do not. Usage: models.py DIR"""

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

rng = np.random.default_rng(1)


def weight(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def write(name, nodes, shape, constants, opset=13, ir=7, batch=None):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch or shape[0], *shape[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = ir
    save(model, f"{sys.argv[1]}/{name}.onnx")


def one(name, op, shape, constants=None, inputs=None, opset=13, batch=None, **attributes):
    constants = constants or {}
    inputs = inputs or ["x", *constants]
    write(name, [helper.make_node(op, inputs, ["y"], **attributes)], shape, constants, opset, batch=batch)


f = np.float32
one("conv_same_upper", "Conv", [1, 3, 11, 10], {"w": weight(4, 3, 3, 2)}, auto_pad="SAME_UPPER", strides=[2, 2])
one("conv_same_lower", "Conv", [1, 3, 11, 10], {"w": weight(4, 3, 4, 2)}, auto_pad="SAME_LOWER", strides=[2, 3])
one("conv_valid", "Conv", [1, 3, 11, 10], {"w": weight(4, 3, 3, 2), "b": weight(4)}, auto_pad="VALID")
one("conv_uneven", "Conv", [2, 4, 9, 9], {"w": weight(6, 2, 3, 3), "b": weight(6)},
    group=2, pads=[0, 1, 2, 3], strides=[2, 1], dilations=[1, 2], batch="N")
one("maxpool_ceil", "MaxPool", [1, 2, 10, 9], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
one("maxpool_same", "MaxPool", [1, 2, 10, 9], kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER")
one("avgpool_pads", "AveragePool", [1, 2, 10, 9], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])
one("avgpool_ceil", "AveragePool", [1, 2, 10, 9], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
one("gemm_plain", "Gemm", [3, 4], {"w": weight(4, 5), "b": weight(5)}, alpha=0.5, beta=2.0)
one("gemm_trans", "Gemm", [3, 4], {"w": weight(5, 4)}, transB=1, alpha=-1.5)
one("gemm_scalar", "Gemm", [3, 4], {"w": weight(4, 5), "b": f(0.3)})
one("gemm_column", "Gemm", [3, 4], {"w": weight(4, 5), "b": weight(3, 1)})
one("matmul", "MatMul", [2, 3, 4], {"w": weight(4, 5)})
one("clip_both", "Clip", [1, 40], {"lo": f(-0.4), "hi": f(0.9)})
one("clip_low", "Clip", [1, 40], {"lo": f(-0.4)})
one("clip_high", "Clip", [1, 40], {"hi": f(0.3)}, ["x", "", "hi"])
one("clip_attributes", "Clip", [1, 40], opset=10, min=0.0, max=6.0)
one("hard_sigmoid", "HardSigmoid", [1, 40])
one("hard_sigmoid_torch", "HardSigmoid", [1, 40], alpha=1 / 6, beta=0.5)
one("softmax_old", "Softmax", [2, 3, 4], opset=11)
one("softmax_last", "Softmax", [2, 3, 4])
one("add_scalar", "Add", [1, 3, 4, 5], {"c": f(0.7)})
one("add_row", "Add", [1, 3, 4, 5], {"c": weight(5)}, ["c", "x"])
one("mul_column", "Mul", [1, 3, 4, 5], {"c": weight(3, 4, 1)})
one("sub", "Sub", [1, 3, 4, 5], {"c": weight(3, 1, 1)})
one("div", "Div", [1, 3, 4, 5], {"c": f(1.7)})
one("batchnorm_flat", "BatchNormalization", [4, 6],
    {"s": weight(6), "b": weight(6), "m": weight(6), "v": abs(weight(6)) + f(0.1)}, opset=9)
one("batchnorm_plane", "BatchNormalization", [1, 6, 3, 3],
    {"s": weight(6), "b": weight(6), "m": weight(6), "v": abs(weight(6)) + f(0.1)}, opset=15, epsilon=1e-3)
one("reshape", "Reshape", [2, 3, 4], {"s": np.array([0, -1, 2])})
one("flatten_negative", "Flatten", [2, 3, 4], axis=-1)
write("hard_swish_written_out", [
    helper.make_node("Conv", ["x", "w"], ["a"]),
    helper.make_node("Add", ["a", "three"], ["b"]),
    helper.make_node("Clip", ["b", "zero", "six"], ["c"]),
    helper.make_node("Mul", ["a", "c"], ["d"]),
    helper.make_node("Div", ["d", "six"], ["y"]),
], [1, 3, 5, 5], {"w": weight(4, 3, 1, 1), "zero": f(0), "three": f(3), "six": f(6)})
write("dense_bias", [
    helper.make_node("MatMul", ["x", "w"], ["a"]),
    helper.make_node("Add", ["b", "a"], ["c"]),
    helper.make_node("Relu", ["c"], ["y"]),
], [2, 6], {"w": weight(6, 4), "b": weight(4)})
write("scaled_conv", [
    helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
    helper.make_node("Mul", ["a", "s"], ["b"]),
    helper.make_node("Add", ["b", "t"], ["c"]),
    helper.make_node("Sum", ["c", "x", "x"], ["d"]),
    helper.make_node("Sigmoid", ["d"], ["y"]),
], [1, 3, 6, 6], {"w": weight(3, 3, 3, 3), "s": weight(3, 1, 1), "t": weight(1, 3, 1, 1)}, opset=8)


def dynamic(name, product, shape, weights, bias, **attributes):
    """A product of bytes, in the form of ONNX Runtime's dynamic quantization."""
    write(name, [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "q_scale", "q_zero"]),
        helper.make_node(product, ["q", "w", "q_zero", "w_zero"], ["sums"], **attributes),
        helper.make_node("Cast", ["sums"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["q_scale", "w_scale"], ["scale"]),
        helper.make_node("Mul", ["numbers", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "b"], ["y"]),
    ], shape, {"w": weights, "w_scale": f(0.01), "w_zero": weights.dtype.type(3), "b": bias})


dynamic("dynamic_conv", "ConvInteger", [1, 3, 9, 8], rng.integers(0, 256, (5, 3, 3, 3), dtype=np.uint8), weight(1, 5, 1, 1),
        pads=[1, 1, 1, 1], strides=[2, 1])
dynamic("dynamic_matmul", "MatMulInteger", [2, 7, 12], rng.integers(-128, 128, (12, 9), dtype=np.int8), weight(9))
qgemm = {"scale": f(0.02), "zero": np.uint8(128), "w": rng.integers(-128, 128, (5, 6), dtype=np.int8), "w_scale": f(0.01),
         "w_zero": np.int8(0), "b": rng.integers(-2000, 2000, 5, dtype=np.int32), "y_scale": f(0.05), "y_zero": np.uint8(100)}
write("qgemm", [
    helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
    helper.make_node("QGemm", ["q", "scale", "zero", "w", "w_scale", "w_zero", "b", "y_scale", "y_zero"], ["p"],
                     domain="com.microsoft", transB=1),
    helper.make_node("DequantizeLinear", ["p", "y_scale", "y_zero"], ["y"]),
], [3, 6], qgemm)
