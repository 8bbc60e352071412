#!/usr/bin/python3
"""Writes cases that numpy computes, in the format of onnx_cases.py.

    numpy_cases.py OUT.json.gz

They are of what the installed onnx package has no cases of: versions of
operators newer than it, more element types, NaN and infinities, empty tensors.
"""
import math
import sys

import numpy as np

from onnx_cases import TYPES, tensor, write

CODES = {np.dtype(n): k for k, n in {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64"}.items()}
FLOATS = [np.float16, np.float32, np.float64]
INTS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
UNSIGNED = INTS[4:]
SIGNED = INTS[:4]

rng = np.random.default_rng(1)
cases, names = [], set()


def encode(x):
    if x is None:
        return None
    x = np.asarray(x)
    return tensor(CODES[x.dtype], x)


def attribute(v):
    if isinstance(v, (bool, int)):
        return {"int": int(v)}
    if isinstance(v, float):
        return {"float": v}
    if isinstance(v, str):
        return {"string": v}
    if isinstance(v, np.ndarray):
        return {"tensor": encode(v)}
    return {"ints": [int(i) for i in v]}


def case(operator, inputs, outputs, label="", **attributes):
    name = "numpy_%s_%d%s" % (operator, sum(c["operator"] == operator for c in cases), label)
    cases.append({
        "name": name, "operator": operator,
        "attributes": {k: attribute(v) for k, v in attributes.items()},
        "inputs": [encode(x) for x in inputs], "outputs": [encode(x) for x in outputs]})


def random(shape, kind, low=-9, high=10):
    kind = np.dtype(kind)
    if kind == bool:
        return rng.integers(0, 2, shape).astype(bool)
    if kind.kind == "f":
        return rng.uniform(low, high, shape).astype(kind)
    if kind.kind == "u":
        low = max(low, 0)
    return rng.integers(low, high, shape).astype(kind)


def i64(*v):
    return np.array(v, np.int64)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, 2.5, -2.5, 0.5, 1.5, -0.5, 100, -100, 3e38], np.float32)
PAIRS = [((2, 3), (2, 3)), ((2, 3), ()), ((3, 1, 2), (4, 2)), ((1,), (2, 1, 3)), ((0, 3), (1, 3))]

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def unary():
    functions = {
        "Abs": np.abs, "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log, "Sin": np.sin, "Cos": np.cos, "Tan": np.tan,
        "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh, "Tanh": np.tanh,
        "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh, "Erf": erf, "Ceil": np.ceil,
        "Floor": np.floor, "Round": np.rint, "Reciprocal": lambda x: 1 / x, "Neg": np.negative, "Sign": np.sign,
        "Sigmoid": sigmoid, "Softplus": softplus,
        "Relu": lambda x: np.maximum(x, 0),
        "Gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
        "Mish": lambda x: x * np.tanh(softplus(x)),
        "Swish": lambda x: x * sigmoid(x),
        "Elu": lambda x: np.where(x < 0, np.expm1(x), x),
        "Celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(x)),
        "LeakyRelu": lambda x: np.where(x < 0, np.float32(0.01) * x, x),
    }
    for name, f in functions.items():
        for kind in FLOATS:
            x = SPECIAL[:-1].astype(kind)
            if name in ("Gelu", "Mish", "Swish"):
                x = x[np.isfinite(x)]  # infinity times zero, in numpy by rounding only
            case(name, [x], [f(x.astype(np.float64)).astype(kind)])
    for kind in SIGNED:
        x = random((2, 3), kind)
        case("Neg", [x], [-x])
        case("Relu", [x], [np.maximum(x, 0)])
    for kind in INTS:
        x = random((5,), kind)
        case("Abs", [x], [np.abs(x)])
        case("Sign", [x], [np.sign(x)])
    x = random((4, 5), np.float32, -4, 4)
    case("Gelu", [x], [0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))], approximate="tanh")
    case("Swish", [x], [x * sigmoid(0.5 * x)], alpha=0.5)
    y = random((4, 5), np.float32)
    case("SwiGLU", [x, y], [x * sigmoid(x) * y])
    for kind in FLOATS:
        x = SPECIAL.astype(kind)
        case("IsNaN", [x], [np.isnan(x)])
        case("IsInf", [x], [np.isinf(x)])
        case("IsInf", [x], [np.isposinf(x)], detect_negative=0)
        case("IsInf", [x], [np.isneginf(x)], detect_positive=0)


def binary():
    for name, f in {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}.items():
        for kind in FLOATS + INTS:
            for a, b in PAIRS[:3]:
                x, y = random(a, kind), random(b, kind)
                case(name, [x, y], [np.asarray(f(x, y))])
    for a, b in PAIRS:
        for kind in FLOATS + INTS:
            x, y = random(a, kind), random(b, kind, 1)
            wide = x.astype(np.int64) if np.dtype(kind).kind == "i" else x
            div = x / y if kind in FLOATS else np.trunc(wide / y)
            case("Div", [x, y], [np.asarray(div).astype(kind)])
            if kind in FLOATS:
                case("Mod", [x, y], [np.fmod(x, y)], fmod=1)
            else:
                if kind in SIGNED:
                    y = np.negative(y)
                case("Mod", [x, y], [np.mod(x, y)])
                case("Mod", [x, y], [np.fmod(x, y)], fmod=1)
    for kind in FLOATS + INTS:
        x, y, z = random((2, 1), kind), random((3,), kind), random((2, 3), kind)
        case("Max", [x, y, z], [np.maximum(np.maximum(x, y), z)])
        case("Min", [x, y, z], [np.minimum(np.minimum(x, y), z)])
        case("Max", [x], [x])
        low, high = np.array(2, kind), np.array(6, kind)
        case("Clip", [z, low, high], [np.minimum(np.maximum(z, low), high)])
        case("Clip", [z, high, low], [np.minimum(np.maximum(z, high), low)])
        case("Clip", [z, None, high], [np.minimum(z, high)])
        case("Clip", [z], [z])
    a, b = SPECIAL[:, None], SPECIAL[None, :9]
    case("Max", [a, b], [np.maximum(a, b)])
    case("Min", [a, b], [np.minimum(a, b)])
    case("Clip", [SPECIAL, np.float32(-1), np.float32(1)], [np.clip(SPECIAL, -1, 1)])
    case("Add", [a, b], [a + b])
    case("Mul", [a, b], [a * b])
    case("Div", [a, b], [a / b])
    case("Mod", [a, b], [np.fmod(a, b)], fmod=1)
    case("Pow", [a, b], [np.power(a, b)])
    for kind in FLOATS:
        x, y, z = random((2, 1), kind), random((3,), kind), random((2, 3), kind)
        case("Sum", [x, y, z], [x + y + z])
        case("Mean", [x, y, z], [((x.astype(np.float64) + y + z) / 3).astype(kind)])
        s = random((3,), kind)
        case("PRelu", [z, s], [np.where(z < 0, z * s, z)])
    for base in [np.int32, np.int64] + FLOATS:
        for exponent in INTS + FLOATS:
            x, y = random((2, 3), base, 1, 5), random((3,), exponent, 0, 4)
            z = np.power(x.astype(np.float64), y.astype(np.float64))
            case("Pow", [x, y], [z.astype(base)])
    for kind in INTS + FLOATS:
        for name, f in {"Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
                        "GreaterOrEqual": np.greater_equal}.items():
            x, y = random((3, 1, 4), kind, 0, 3), random((2, 4), kind, 0, 3)
            case(name, [x, y], [f(x, y)])
            if kind == np.float32:
                case(name, [a, b], [f(a, b)])
    x, y = random((3, 1), bool), random((4,), bool)
    case("Equal", [x, y], [x == y])
    for name, f in {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}.items():
        case(name, [x, y], [f(x, y)])
    for kind in INTS:
        x, y = random((3, 1, 4), kind, -100, 100), random((2, 4), kind, -100, 100)
        case("BitwiseAnd", [x, y], [x & y])
        case("BitwiseOr", [x, y], [x | y])
        case("BitwiseXor", [x, y], [x ^ y])
        case("BitwiseNot", [x], [~x])
    for kind in UNSIGNED:
        x, y = random((3, 4), kind, 0, 200), random((4,), kind, 0, 7)
        case("BitShift", [x, y], [np.left_shift(x, y)], direction="LEFT")
        case("BitShift", [x, y], [np.right_shift(x, y)], direction="RIGHT")
    for kind in INTS + FLOATS + [bool]:
        c, x, y = random((2, 1, 3), bool), random((4, 1), kind), random((), kind)
        case("Where", [c, x, y], [np.where(c, x, y)])


def casts():
    for a in INTS + FLOATS + [bool]:
        for b in INTS + FLOATS + [bool]:
            x = random((6,), a, 0 if b in UNSIGNED else -90, 100)
            if np.dtype(a).kind in "iu" and np.dtype(b).kind in "iu":
                x = np.concatenate([x, np.array([np.iinfo(a).max, np.iinfo(a).min], a)])
            case("Cast", [x], [x.astype(b)], to=CODES[np.dtype(b)])
            case("CastLike", [x, random((0, 2), b)], [x.astype(b)])
    x = np.array([1e9, 65519, 65520, 1 + 2 ** -11, 1 + 2 ** -11 + 2 ** -40, 1 + 3 * 2 ** -11, 1e-8, 5e-8, np.nan])
    case("Cast", [x], [x.astype(np.float16)], to=10)
    for a, b in [(np.float32, np.uint32), (np.int16, np.float16), (np.float64, np.int64), (np.uint8, np.int8)]:
        x = random((5,), a, -50, 50)
        case("BitCast", [x], [x.view(b)], to=CODES[np.dtype(b)])
        case("BitCast", [x.view(b)], [x], to=CODES[np.dtype(a)])


def moves():
    for kind in INTS + FLOATS + [bool]:
        x = random((2, 3, 4), kind)
        case("Transpose", [x], [x.transpose(1, 2, 0)], perm=[1, 2, 0])
        case("Concat", [x, x[:, :1], x[:, :0]], [np.concatenate([x, x[:, :1]], 1)], axis=-2)
        case("Slice", [x, i64(-1, 100), i64(-100, -9), i64(2, 1), i64(-2, -1)], [x[:, ::-1, ::-2]])
        case("Expand", [x[:, :1], i64(2, 1, 3, 1)], [np.broadcast_to(x[:, :1], (2, 2, 3, 4))])
        case("Tile", [x, i64(1, 2, 3)], [np.tile(x, (1, 2, 3))])
        case("Tile", [x, i64(1, 0, 3)], [np.tile(x, (1, 0, 3))])
        case("Identity", [x], [x])
        case("Reshape", [x, i64(0, -1)], [x.reshape(2, 12)])
        case("Reshape", [x[:0], i64(3, 0)], [np.zeros((3, 0), kind)], allowzero=1)
        pads = i64(1, 0, 2, 0, 1, 3)
        case("Pad", [x, pads, np.array(1, kind)], [np.pad(x, [(1, 0), (0, 1), (2, 3)], constant_values=np.array(1, kind))])
        for mode in ["reflect", "edge", "wrap"]:
            case("Pad", [x, pads], [np.pad(x, [(1, 0), (0, 1), (2, 3)], mode=mode)], mode=mode)
        case("Gather", [x, np.array([[0, -1], [2, 1]], np.int32)], [np.take(x, [[0, 2], [2, 1]], axis=1)], axis=-2)
        index = rng.integers(-4, 4, (2, 2, 5))
        case("GatherElements", [x, index], [np.take_along_axis(x[:, :2], index, 2)], axis=2)
        case("GatherND", [x, i64(1, -1, 0, 0).reshape(2, 2)], [x[[1, 0], [-1, 0]]])
        case("GatherND", [x, i64(2, -2).reshape(2, 1)], [np.stack([x[0, 2], x[1, 1]])], batch_dims=1)
        y = x.copy()
        y[:, [2, 0]] = x[:, :2]
        case("ScatterElements", [x, np.broadcast_to(i64(-1, 0)[None, :, None], (2, 2, 4)), x[:, :2]], [y], axis=1)
        y = x.copy()
        y[1, 0] = x[0, 0]
        y[0, 2] = x[1, 2]
        case("ScatterND", [x, i64(1, 0, -2, -1).reshape(2, 2), np.stack([x[0, 0], x[1, 2]])], [y])
        case("Compress", [x, np.array([False, True, True])], [x[:, 1:]], axis=1)
        case("Compress", [x, np.array([True, False, True])], [x.reshape(-1)[[0, 2]]])
        case("Trilu", [x, i64(1).reshape(())], [np.triu(x, 1)])
        case("Trilu", [x, i64(-1).reshape(())], [np.tril(x, -1)], upper=0)
        case("Split", [x], [x[..., :1], x[..., 1:2], x[..., 2:3], x[..., 3:]], axis=2, num_outputs=4)
        case("Split", [x], [x[:, :2], x[:, 2:]], axis=1, num_outputs=2)
        case("Split", [x, i64(1, 0, 2)], [x[:, :1], x[:, :0], x[:, 1:]], axis=1)
        case("ConstantOfShape", [i64(2, 0)], [np.zeros((2, 0), kind)], value=np.ones(1, kind))
        case("ConstantOfShape", [i64(2, 3)], [np.ones((2, 3), kind)], value=np.ones(1, kind))
        case("EyeLike", [random((3, 4), np.float32)], [np.eye(3, 4, -1, kind)], k=-1, dtype=CODES[np.dtype(kind)])
        index = np.array([[0, -1], [5, 2]], np.int32)
        hot = np.zeros((2, 3, 2), kind)
        hot[0, 0, 0] = hot[0, 2, 1] = hot[1, 2, 1] = 1
        case("OneHot", [index, np.array([3], np.float32), np.array([0, 1], kind)], [hot], axis=1)
        case("NonZero", [x], [np.array(np.nonzero(x), np.int64)])
        y = np.stack([x[0], np.concatenate([x[1, 1::-1], x[1, 2:]])])
        case("ReverseSequence", [x, i64(1, 2)], [y], batch_axis=0, time_axis=1)
    x = random((3, 4), np.float32)
    case("Pad", [x, i64(-1, 2), None, np.array([-1], np.int32)], [np.pad(x[:, 1:], [(0, 0), (0, 2)])])
    case("Pad", [x, i64(2, -1), np.array([7], np.float32), i64(0)], [np.pad(x, [(2, 0), (0, 0)], constant_values=7)[:-1]])
    case("Pad", [x, i64(0, 9, 0, 8)], [np.pad(x, [(0, 0), (9, 8)], mode="reflect")], mode="reflect")
    case("Pad", [x, i64(7, 0, 5, 0)], [np.pad(x, [(7, 5), (0, 0)], mode="wrap")], mode="wrap")
    case("Pad", [np.float32(3), np.zeros(0, np.int64)], [np.float32(3)])
    case("NonZero", [np.float32(3)], [np.zeros((0, 1), np.int64)])
    for kind in [np.int16, np.int32, np.int64, np.float32, np.float64]:
        for a, b, d in [(2, 11, 3), (10, -1, -4), (5, 5, 1), (5, 2, 1)]:
            case("Range", [np.array(v, kind) for v in (a, b, d)], [np.arange(a, b, d, dtype=kind)])
    for f, ufunc in {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}.items():
        for kind in FLOATS + INTS:
            x, u = random((4, 3), kind, 0, 5), random((5, 3), kind, 0, 5)
            index = rng.integers(0, 4, (5, 3))
            y = x.copy()
            ufunc.at(y, (index, np.broadcast_to(np.arange(3), (5, 3))), u)
            case("ScatterElements", [x, index, u], [y], reduction=f)
            y = x.copy()
            ufunc.at(y, (index[:, 0],), u)
            case("ScatterND", [x, index[:, :1], u], [y], reduction=f)


def caches():
    for kind in [np.float32, np.float16, np.int8]:
        for axis in [1, 2, -2]:
            for mode, starts in {"linear": [0, 2], "circular": [3, 1]}.items():
                past = random((2, 4, 4, 3), kind)
                update = np.take(random((2, 4, 4, 3), kind), range(2), axis)
                y = past.copy()
                for b in range(2):
                    for k in range(2):
                        at = [b] + [slice(None)] * 3
                        at[axis], source = (starts[b] + k) % 4, list(at)
                        source[axis] = k
                        y[tuple(at)] = update[tuple(source)]
                case("TensorScatter", [past, update, i64(*starts)], [y], axis=axis, mode=mode)
    y = past.copy()
    y[:, :, :2] = update[:, :, :2]
    case("TensorScatter", [past, update], [y])


def reductions():
    def logsumexp(x, **k):
        return np.log(np.sum(np.exp(x), **k))

    functions = {
        "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod,
        "ReduceL1": lambda x, **k: np.sum(np.abs(x), **k),
        "ReduceL2": lambda x, **k: np.sqrt(np.sum(x * x, **k)),
        "ReduceSumSquare": lambda x, **k: np.sum(x * x, **k),
        "ReduceLogSum": lambda x, **k: np.log(np.sum(x, **k)),
        "ReduceLogSumExp": logsumexp,
    }
    for name, f in functions.items():
        for kind in FLOATS + INTS:
            x = random((2, 3, 4), kind, 1, 4)
            wide = x.astype(np.float64)
            for axes in [(1,), (0, 2), (-1,)]:
                for keep in [0, 1]:
                    y = f(wide, axis=axes, keepdims=bool(keep))
                    case(name, [x, i64(*axes)], [np.asarray(y).astype(kind)], keepdims=keep)
            case(name, [x], [np.asarray(f(wide)).astype(kind)], keepdims=0)
            y = x if name == "ReduceLogSumExp" else np.asarray(f(wide, axis=())).astype(kind)
            case(name, [x, i64()], [y], noop_with_empty_axes=1)
            case(name, [x], [y], noop_with_empty_axes=1, keepdims=0)
        if name in ("ReduceMax", "ReduceMin", "ReduceMean"):
            continue
        x = np.zeros((2, 0, 3), np.float32)
        case(name, [x, i64(1)], [f(x, axis=1, keepdims=True)])
        case(name, [x, i64(0)], [f(x, axis=0, keepdims=True)])
    x = np.zeros((2, 0, 3), np.float32)
    case("ReduceMax", [x, i64(1)], [np.full((2, 1, 3), -np.inf, np.float32)])
    case("ReduceMin", [x, i64(1)], [np.full((2, 1, 3), np.inf, np.float32)])
    for kind in INTS:
        x = np.zeros((0, 2), kind)
        case("ReduceMax", [x, i64(0)], [np.full((1, 2), np.iinfo(kind).min, kind)])
        case("ReduceMin", [x, i64(0)], [np.full((1, 2), np.iinfo(kind).max, kind)])
    x = random((3, 4), bool)
    case("ReduceMax", [x, i64(1)], [np.max(x, axis=1)], keepdims=0)
    case("ReduceMin", [x, i64(0)], [np.min(x, axis=0)], keepdims=0)
    for name in ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceLogSumExp"]:
        x = np.array([[1, np.nan], [-np.inf, -np.inf], [np.inf, 1], [1000, 999]], np.float32)
        y = functions[name](x.astype(np.float64), axis=1)
        if name == "ReduceLogSumExp":
            y[3] = 1000 + math.log1p(math.exp(-1))
        case(name, [x, i64(1)], [y.astype(np.float32)], keepdims=0)
    for name, f in {"ArgMax": np.argmax, "ArgMin": np.argmin}.items():
        for kind in FLOATS + INTS:
            x = random((3, 4, 2), kind, 0, 3)
            if kind in FLOATS:
                x = np.floor(x)
            for axis in [0, 1, -1]:
                case(name, [x], [np.expand_dims(f(x, axis), axis)], axis=axis)
                last = x.shape[axis] - 1 - f(np.flip(x, axis), axis)
                case(name, [x], [last], axis=axis, keepdims=0, select_last_index=1)
        x = np.array([1, np.nan, 3, np.nan], np.float32)
        case(name, [x], [f(x, 0)], keepdims=0)
    for name, f in {"CumSum": np.cumsum, "CumProd": np.cumprod}.items():
        for kind in FLOATS + INTS[2:4] + INTS[6:]:
            x = random((2, 4, 3), kind, 1, 4)
            for axis in [0, 1, -1]:
                a = np.array(axis, np.int32)
                wide = np.float64 if kind in FLOATS else kind
                y = f(x, axis=axis, dtype=wide).astype(kind)
                case(name, [x, a], [y])
                back = f(np.flip(x, axis), axis=axis, dtype=wide)
                case(name, [x, a], [np.flip(back, axis).astype(kind)], reverse=1)
                first = np.full_like(np.take(x, [0], axis), name == "CumProd")
                rest = np.delete(y, -1, axis)
                case(name, [x, a], [np.concatenate([first, rest], axis)], exclusive=1)
    for kind in FLOATS + INTS:
        x = rng.permutation(60).reshape(3, 4, 5).astype(kind)
        for axis in [0, 1, -1]:
            k = 2
            order = np.argsort(x, axis, kind="stable")
            low = np.take(order, range(k), axis)
            case("TopK", [x, i64(k)], [np.take_along_axis(x, low, axis), low], axis=axis, largest=0)
            high = np.take(np.flip(order, axis), range(k), axis)
            case("TopK", [x, i64(k)], [np.take_along_axis(x, high, axis), high], axis=axis)
    x = np.array([3, 1, 3, 2, 1], np.int64)
    case("TopK", [x, i64(4)], [i64(3, 3, 2, 1), i64(0, 2, 3, 1)])
    case("TopK", [x, i64(0)], [i64(), i64()])
    for kind in FLOATS + INTS + [bool]:
        x = np.floor(random((4, 3), kind, 0, 2)).astype(kind)
        for a in [None, 0, 1]:
            keys = {} if a is None else {"axis": a}
            y, first, inverse, counts = np.unique(x, True, True, True, axis=a)
            case("Unique", [x], [y, first, inverse.reshape(-1), counts], **keys)
        if kind in INTS:
            x = random((7,), kind, 0, 4)
            _, first = np.unique(x, True)
            case("Unique", [x], [x[np.sort(first)]], sorted=0)
    for kind in FLOATS:
        x = random((2, 3, 4), kind)
        for axis in [0, 1, -1]:
            e = np.exp(x.astype(np.float64) - np.max(x, axis, keepdims=True))
            s = e / np.sum(e, axis, keepdims=True)
            case("Softmax", [x], [s.astype(kind)], axis=axis)
            case("LogSoftmax", [x], [np.log(s).astype(kind)], axis=axis)
            hot = np.zeros_like(x)
            np.put_along_axis(hot, np.expand_dims(np.argmax(x, axis), axis), 1, axis)
            case("Hardmax", [x], [hot], axis=axis)
    x = np.array([[np.nan, 1], [np.inf, 1], [-np.inf, 1], [-np.inf, -np.inf]], np.float32)
    case("Softmax", [x], [np.array([[np.nan, np.nan], [np.nan, np.nan], [0, 1], [np.nan, np.nan]], np.float32)])


def products():
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
              ((2, 1, 2, 3), (4, 3, 2)), ((1, 3), (2, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((3,), (2, 3, 4)),
              ((0, 2, 3), (3, 2))]
    for a, b in shapes:
        for kind in [np.float16, np.float32, np.float64, np.int32, np.int64, np.uint32, np.uint64, np.int8]:
            x, y = random(a, kind, -3, 4), random(b, kind, -3, 4)
            case("MatMul", [x, y], [np.asarray(np.matmul(x, y))])
    for kind in [np.float16, np.float32, np.float64, np.int32, np.int64, np.uint32, np.uint64]:
        a, b = random((2, 3), kind, -3, 4), random((3, 4), kind, -3, 4)
        for c in [(), (4,), (2, 1), (1, 4), (2, 4)]:
            c = random(c, kind)
            wide = np.float64 if kind in FLOATS else kind
            ab, two, three = np.matmul(a, b, dtype=wide), np.array(2, wide), np.array(3, wide)
            case("Gemm", [a, b, c], [(ab + c).astype(kind)])
            y = (ab * two + c.astype(wide) * three).astype(kind)
            case("Gemm", [a.T, b.T, c], [y], transA=1, transB=1, alpha=2.0, beta=3.0)
    for equation, shapes in {
        "ij,jk->ik": [(2, 3), (3, 4)], "ij,jk": [(2, 3), (3, 4)], "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
        "bhid,bhjd->bhij": [(2, 2, 3, 4), (2, 2, 5, 4)], "...ij,...jk->...ik": [(2, 1, 3, 4), (5, 4, 2)],
        "ii": [(3, 3)], "ii->i": [(3, 3)], "ij->ji": [(2, 3)], "ij->": [(2, 3)], "ba": [(2, 3)],
        "i,j,k->kji": [(2,), (3,), (4,)], "...": [(2, 3)], "i...->...": [(2, 3, 4)], "ij,ij->i": [(2, 3), (2, 3)],
        "bic,ij,bjc->bc": [(2, 3, 4), (3, 5), (2, 5, 4)], "a...a->...a": [(2, 3, 2)], ",ij->ij": [(), (2, 3)],
        "Ab,bC->AC": [(2, 3), (3, 4)], "ij,jk->ik ": [(2, 0), (0, 4)],
    }.items():
        for kind in [np.float32, np.float64, np.int32, np.uint8]:
            x = [random(s, kind, -3, 4) for s in shapes]
            case("Einsum", x, [np.asarray(np.einsum(equation.strip(), *x)).astype(kind)], equation=equation)
    for shape in [(3, 3), (2, 1, 4, 4), (1, 1), (0, 0), (2, 2)]:
        for kind in [np.float32, np.float64]:
            x = random(shape, kind)
            case("Det", [x], [np.asarray(np.linalg.det(x))])
    case("Det", [np.zeros((2, 2), np.float32)], [np.float32(0)])


def main():
    np.seterr(all="ignore")
    for make in (unary, binary, casts, moves, reductions, products, caches):
        make()
    write(sys.argv[1], cases)
    print("%d cases of %d operators" % (len(cases), len({c["operator"] for c in cases})))


if __name__ == "__main__":
    main()
