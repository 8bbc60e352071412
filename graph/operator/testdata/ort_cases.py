#!/usr/bin/python3
"""Writes cases of operators that have none in ONNX's own suite.

    NODE_PATH=.../node_modules ort_cases.py OUT.json.gz

The outputs are those of ONNX Runtime's CPU provider, through node and the
package onnxruntime-node. The form of the file is that of onnx_cases.py.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from onnx import TensorProto, helper, save

sys.path.insert(0, os.path.dirname(__file__))
from onnx_cases import attribute, tensor  # noqa: E402

RUN = """
const fs = require('fs'), ort = require('onnxruntime-node');
const types = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array,
  int32: Int32Array, int64: BigInt64Array, uint16: Uint16Array, int16: Int16Array };
(async () => {
  const dir = process.argv[1], out = [];
  for (const c of JSON.parse(fs.readFileSync(dir + '/cases.json'))) {
    try {
      const s = await ort.InferenceSession.create(c.model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 3 });
      const feeds = {};
      for (const t of c.inputs) {
        const b = Buffer.from(t.data, 'base64'), a = new types[t.type](new Uint8Array(b).buffer);
        feeds[t.name] = new ort.Tensor(t.type, a, t.shape);
      }
      const r = await s.run(feeds), o = {};
      for (const k of Object.keys(r)) o[k] = { type: r[k].type, shape: r[k].dims,
        data: Buffer.from(r[k].data.buffer, r[k].data.byteOffset, r[k].data.byteLength).toString('base64') };
      out.push(o);
    } catch (e) { out.push({ error: String(e) }); }
  }
  fs.writeFileSync(dir + '/out.json', JSON.stringify(out));
})();
"""

NAMES = {np.dtype(t): (n, kind) for t, n, kind in (
    ("f4", "f32", TensorProto.FLOAT), ("f8", "f64", TensorProto.DOUBLE), ("i1", "i8", TensorProto.INT8),
    ("u1", "u8", TensorProto.UINT8), ("i4", "i32", TensorProto.INT32), ("i8", "i64", TensorProto.INT64),
    ("i2", "i16", TensorProto.INT16), ("u2", "u16", TensorProto.UINT16))}
rng = np.random.default_rng(1)


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def i8(*shape):
    return rng.integers(-128, 128, shape, dtype=np.int8)


def s(x):
    return np.array(x, np.float32)


def z(x, kind=np.uint8):
    return np.array(x, kind)


def i32(x):
    return np.array(x, np.int32)


def i64(x):
    return np.array(x, np.int64)


def cases():
    ms = "com.microsoft."
    yield "GlobalLpPool", {"p": 2}, [f(2, 3, 4, 5)], 1
    yield "GlobalLpPool", {"p": 3}, [f(1, 2, 4)], 1
    yield "MaxRoiPool", {"pooled_shape": [2, 3], "spatial_scale": 0.5}, \
        [f(2, 3, 9, 8), s([[0, 0, 0, 12, 14], [1, 3, 5, 15, 17], [0, 8, 8, 9, 9]])], 1
    for dims, pads in ((1, [1, 2]), (2, [1, 0, 2, 1]), (3, [1, 0, 1, 0, 2, 1])):
        x, k = f(2, 4, *[7, 6, 5][:dims]), [3, 2, 2][:dims]
        more = {"strides": [2, 1, 1][:dims], "pads": pads, "dilations": [1, 2, 2][:dims]}
        yield "Conv", {"group": 2, **more}, [x, f(6, 2, *k), f(6)], 1
        yield "ConvTranspose", {"group": 2, **more}, [x, f(4, 3, *k), f(6)], 1
        yield "MaxPool", {"kernel_shape": k, "ceil_mode": 1, "pads": [min(p, 1) for p in pads], "strides": [2] * dims}, [x], 2
        yield "AveragePool", {"kernel_shape": k, "pads": [min(p, 1) for p in pads], "count_include_pad": 1}, [x], 1
        yield "LpPool", {"kernel_shape": k, "p": 3, "pads": [min(p, 1) for p in pads]}, [x], 1
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            yield "Conv", {"auto_pad": auto, "strides": [2] * dims}, [x, f(3, 4, *k)], 1
    yield "MaxPool", {"kernel_shape": [2, 2], "storage_order": 1}, [f(1, 2, 4, 4)], 2
    yield "ConvInteger", {"group": 2, "pads": [1, 1, 1, 1]}, [u8(1, 4, 5, 5), u8(6, 2, 3, 3), z(100), z(120)], 1
    for kind in (u8, i8):
        zero = kind(1)[0]
        yield "QLinearConv", {"group": 2, "pads": [1, 0, 1, 2], "strides": [2, 1], "dilations": [1, 2]}, \
            [kind(2, 4, 7, 6), s(0.02), zero, i8(6, 2, 3, 2), abs(f(6)) * 0.01, np.zeros(6, np.int8), s(0.05), kind(1)[0],
             rng.integers(-2000, 2000, 6, dtype=np.int32)], 1
        yield "QLinearMatMul", {}, [kind(2, 3, 8), s(0.02), zero, kind(2, 8, 5), s(0.03), kind(1)[0], s(0.1), kind(1)[0]], 1
        yield ms + "QLinearAdd", {}, [kind(2, 3, 4), s(0.021), zero, kind(3, 1), s(0.0313), kind(1)[0], s(0.0407), kind(1)[0]], 1
        yield ms + "QLinearMul", {}, [kind(2, 3, 4), s(0.021), zero, kind(3, 1), s(0.0313), kind(1)[0], s(0.0407), kind(1)[0]], 1
        yield ms + "QLinearGlobalAveragePool", {}, [kind(2, 3, 4, 5), s(0.02), zero, s(0.015), kind(1)[0]], 1
        yield ms + "QLinearGlobalAveragePool", {"channels_last": 1}, [kind(2, 4, 5, 3), s(0.02), zero, s(0.015), kind(1)[0]], 1
        yield ms + "QLinearAveragePool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}, \
            [kind(1, 2, 5, 6), s(0.02), zero, s(0.03), kind(1)[0]], 1
        yield ms + "QLinearSigmoid", {}, [kind(3, 7), s(0.03), zero, s(0.004), kind(1)[0]], 1
        yield ms + "QLinearLeakyRelu", {"alpha": 0.1}, [kind(3, 7), s(0.0313), zero, s(0.0407), kind(1)[0]], 1
        yield ms + "QLinearConcat", {"axis": 1}, [s(0.05), zero, kind(2, 2, 3), s(0.02), kind(1)[0], kind(2, 1, 3), s(0.07), kind(1)[0]], 1
    yield "MatMulInteger", {}, [u8(3, 2, 4), i8(4, 5), z(3), z(-5, np.int8)], 1
    yield ms + "Gelu", {}, [f(3, 5)], 1
    yield ms + "BiasGelu", {}, [f(2, 3, 5), f(5)], 1
    yield ms + "FastGelu", {}, [f(2, 3, 5), f(5)], 1
    yield ms + "FastGelu", {}, [f(2, 3, 5)], 1
    yield ms + "QuickGelu", {"alpha": 1.5}, [f(2, 3, 5)], 1
    yield ms + "FusedMatMul", {"alpha": 0.5, "transA": 1, "transB": 1}, [f(2, 4, 3), f(2, 5, 4)], 1
    yield ms + "FusedMatMul", {"transB": 1}, [f(2, 3, 4), f(5, 4)], 1
    yield ms + "SkipLayerNormalization", {"epsilon": 1e-5}, [f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)], [0, 3]
    yield ms + "SkipLayerNormalization", {}, [f(2, 3, 8), f(3, 8), f(8)], 1
    yield ms + "SkipSimplifiedLayerNormalization", {"epsilon": 1e-5}, [f(2, 3, 8), f(2, 3, 8), f(8), f(8)], [0, 3]
    yield "SimplifiedLayerNormalization", {"epsilon": 1e-5, "axis": -1}, [f(2, 3, 8), f(8)], 1
    yield ms + "EmbedLayerNormalization", {"epsilon": 1e-5}, \
        [i32([[1, 3, 2], [0, 4, 4]]), i32([[0, 0, 1], [1, 1, 0]]), f(5, 8), f(4, 8), f(2, 8), f(8), f(8), i32([[1, 1, 0], [1, 1, 1]])], 2
    yield ms + "EmbedLayerNormalization", {"epsilon": 1e-5}, \
        [i32([[1, 3, 2], [0, 4, 4]]), None, f(5, 8), f(4, 8), None, f(8), f(8), None, i32([[2, 1, 0], [1, 1, 3]])], 2
    for interleaved in (0, 1):
        yield ms + "RotaryEmbedding", {"interleaved": interleaved}, [f(2, 3, 16), i64([2]), f(6, 4), f(6, 4)], 1
        yield ms + "RotaryEmbedding", {"interleaved": interleaved}, [f(2, 2, 3, 8), i64([[0, 1, 2], [3, 4, 5]]), f(6, 4), f(6, 4)], 1
    heads = {"num_heads": 2}
    q, k, v = f(2, 3, 8), f(2, 5, 8), f(2, 5, 12)
    yield ms + "MultiHeadAttention", heads, [q, k, v], 1
    yield ms + "MultiHeadAttention", {**heads, "scale": 0.7}, [q, k, v, f(28)], 1
    yield ms + "MultiHeadAttention", heads, [q, k, v, None, i32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])], 1
    yield ms + "MultiHeadAttention", heads, [q, k, v, None, i32([3, 5])], 1
    yield ms + "MultiHeadAttention", {**heads, "unidirectional": 1}, [q, f(2, 3, 8), f(2, 3, 12)], 1
    yield ms + "MultiHeadAttention", heads, [q, k, v, None, None, f(1, 2, 3, 5)], 1
    yield ms + "MultiHeadAttention", heads, [q, k, f(2, 5, 8), None, None, f(2, 2, 3, 9), f(2, 2, 4, 4), f(2, 2, 4, 4)], 3
    yield ms + "MultiHeadAttention", heads, [q, f(2, 2, 5, 4), f(2, 2, 5, 4)], 1
    x = f(2, 4, 6)
    yield ms + "Attention", heads, [x, f(6, 24), f(24)], 1
    yield ms + "Attention", {**heads, "qkv_hidden_sizes": [8, 8, 4]}, [x, f(6, 20), f(20)], 1
    yield ms + "Attention", {**heads, "unidirectional": 1}, [x, f(6, 24), f(24)], 2
    yield ms + "Attention", heads, [x, f(6, 24), f(24), i32([[1, 1, 0, 0], [1, 1, 1, 1]])], 1
    yield ms + "Attention", heads, [x, f(6, 24), f(24), i32([2, 4])], 1
    yield ms + "Attention", {**heads, "unidirectional": 1}, [x, f(6, 24), f(24), None, f(2, 2, 2, 3, 4)], 2
    yield ms + "Attention", heads, [x, f(6, 24), f(24), None, None, f(2, 2, 4, 4)], 1
    for mode in ("nearest", "linear", "cubic"):
        for how in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
            # The runtime does not keep to the letter of ONNX where corners are
            # aligned and scales do not make whole sizes.
            scales = [1, 1, 1.6, 0.5] if how == "align_corners" else [1, 1, 1.7, 0.6]
            yield "Resize", {"mode": mode, "coordinate_transformation_mode": how}, [f(1, 2, 5, 4), None, s(scales)], 1
    lens = i32([4, 2, 3])
    for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        for direction in ("forward", "reverse", "bidirectional"):
            d, h = (2 if direction == "bidirectional" else 1), 5
            inputs = [f(4, 3, 2), f(d, gates * h, 2), f(d, gates * h, h), f(d, 2 * gates * h), lens, f(d, 3, h)]
            if op == "LSTM":
                inputs += [f(d, 3, h), f(d, 3 * h)]
            a = {"hidden_size": h, "direction": direction, "clip": 1.5}
            if op == "GRU" and direction == "reverse":
                a["linear_before_reset"] = 1
            yield op, a, inputs, 3 if op == "LSTM" else 2
    bias = rng.integers(-2000, 2000, 5, dtype=np.int32)
    for kind in (u8, i8):
        zero = kind(1)[0]
        yield ms + "QGemm", {"transB": 1}, [kind(3, 8), s(0.02), zero, i8(5, 8), abs(f(5)) * 0.01, np.zeros(5, np.int8), bias, s(0.05), kind(1)[0]], 1
        yield ms + "QGemm", {"alpha": 0.7}, [kind(3, 8), s(0.02), zero, kind(8, 5), s(0.01), kind(1)[0], bias], 1
        yield ms + "QGemm", {"transA": 1}, [kind(8, 3), s(0.02), zero, kind(8, 5), s(0.01), kind(1)[0], None, s(0.05), zero], 1


def main():
    listed, jobs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i, (full, attributes, inputs, outputs) in enumerate(cases()):
            domain, op = full.rpartition(".")[::2]
            outputs = list(range(outputs)) if isinstance(outputs, int) else outputs
            names = ["x%d" % j if x is not None else "" for j, x in enumerate(inputs)]
            out = ["y%d" % j if j in outputs else "" for j in range(max(outputs) + 1)]
            node = helper.make_node(op, names, out, domain=domain, **attributes)
            given = [(n, np.asarray(x)) for n, x in zip(names, inputs) if n]
            graph = helper.make_graph([node], "g",
                                      [helper.make_tensor_value_info(n, NAMES[x.dtype][1], x.shape) for n, x in given],
                                      [onnx_output(n) for n in out if n])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
            model.ir_version = 8
            path = "%s/%d.onnx" % (folder, i)
            save(model, path)
            packed = [tensor(NAMES[x.dtype][1], x) for _, x in given]
            jobs.append({"model": path, "inputs": [
                {"name": n, "type": str(x.dtype), "shape": list(x.shape), "data": t["data"]} for (n, x), t in zip(given, packed)]})
            by = dict(zip([n for n, _ in given], packed))
            listed.append({"name": "ort_%s_%d" % (full.replace(".", "_"), i), "operator": full,
                           "attributes": {a.name: attribute(a) for a in node.attribute},
                           "inputs": [by.get(n) for n in names], "outputs": out})
        with open(folder + "/cases.json", "w") as file:
            json.dump(jobs, file)
        subprocess.run(["node", "-e", RUN, folder], check=True)
        with open(folder + "/out.json") as file:
            results = json.load(file)
    kept = []
    for case, result in zip(listed, results):
        if "error" in result:
            print("skip", case["name"], result["error"], file=sys.stderr)
            continue
        case["outputs"] = [
            {"type": NAMES[np.dtype(result[n]["type"])][0], "shape": result[n]["shape"], "data": result[n]["data"]} if n else None
            for n in case["outputs"]]
        kept.append(case)
    text = json.dumps(kept, separators=(",", ":"), sort_keys=True)
    with open(sys.argv[1], "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(text.encode())
    print("%d cases" % len(kept))


def onnx_output(name):
    """An output whose type the runtime infers."""
    from onnx import ValueInfoProto
    info = ValueInfoProto()
    info.name = name
    return info


if __name__ == "__main__":
    main()
