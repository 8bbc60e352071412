#!/usr/bin/python3
"""Writes the cases of ONNX's backend node tests for some operators.

    onnx_cases.py OUT.json.gz OPERATOR...

The cases come from the generators of the installed onnx package (Debian's
python3-onnx; Apache-2.0), so they are numpy's results and not this project's.
Nodes are brought to the newest version of their operator where that is a
matter of form. Left out, with a word on standard error: types other than
numbers and booleans, models of several nodes, and cases over LIMIT bytes.

The file is a list of cases: name, operator, attributes (each an object whose
one key names its type), inputs and outputs (null where left out); a tensor has
type, shape, and data: base64 of its elements, little endian.
"""
import base64
import gzip
import json
import sys

import numpy as np

LIMIT = 25000

# Names that the generators use and newer numpy dropped.
for alias, kind in {"float": float, "int": int, "bool": bool, "object": object, "str": str}.items():
    if alias not in np.__dict__:
        setattr(np, alias, kind)

import onnx  # noqa: E402
from onnx import AttributeProto, TensorProto, numpy_helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

TYPES = {
    TensorProto.FLOAT: "f32", TensorProto.DOUBLE: "f64",
    TensorProto.FLOAT16: "f16", TensorProto.BFLOAT16: "bf16",
    TensorProto.INT8: "i8", TensorProto.INT16: "i16",
    TensorProto.INT32: "i32", TensorProto.INT64: "i64",
    TensorProto.UINT8: "u8", TensorProto.UINT16: "u16",
    TensorProto.UINT32: "u32", TensorProto.UINT64: "u64",
    TensorProto.BOOL: "bool",
}
SIZES = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "u32": 4, "u64": 8, "i8": 1, "u8": 1, "bool": 1}


class Skip(Exception):
    pass


def tensor(kind, value):
    if kind not in TYPES:
        raise Skip("type %d" % kind)
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    if not isinstance(value, np.ndarray) and not np.isscalar(value):
        raise Skip("not a tensor")
    value = np.asarray(value)
    name = TYPES[kind]
    if value.dtype.itemsize != SIZES.get(name, 2):
        if name != "bf16" or value.dtype != np.float32:
            raise Skip("%s as %s" % (name, value.dtype))
        value = (value.view(np.uint32) >> 16).astype(np.uint16)
    data = value.astype(value.dtype.newbyteorder("<")).tobytes()
    return {"type": name, "shape": list(value.shape), "data": base64.b64encode(data).decode()}


def attribute(a):
    if a.type == AttributeProto.INT:
        return {"int": a.i}
    if a.type == AttributeProto.FLOAT:
        return {"float": a.f}
    if a.type == AttributeProto.STRING:
        return {"string": a.s.decode()}
    if a.type == AttributeProto.INTS:
        return {"ints": list(a.ints)}
    if a.type == AttributeProto.FLOATS:
        return {"floats": list(a.floats)}
    if a.type == AttributeProto.STRINGS:
        return {"strings": [s.decode() for s in a.strings]}
    if a.type == AttributeProto.TENSOR:
        return {"tensor": tensor(a.t.data_type, a.t)}
    raise Skip("attribute %s" % a.name)


def values(names, infos, arrays):
    known = {}
    for info, value in zip(infos, arrays):
        if not info.type.HasField("tensor_type"):
            raise Skip("not a tensor")
        known[info.name] = tensor(info.type.tensor_type.elem_type, value)
    return [known[n] if n else None for n in names]


def opset(case):
    return max(o.version for o in case.model.opset_import if o.domain == "")


def convert(case):
    graph = case.model.graph
    if len(graph.node) != 1:
        return None
    node = graph.node[0]
    inputs, outputs = case.data_sets[0]
    c = {
        "name": case.name,
        "operator": node.op_type,
        "attributes": {a.name: attribute(a) for a in node.attribute},
        "inputs": values(node.input, graph.input, inputs),
        "outputs": values(node.output, graph.output, outputs),
    }
    if node.op_type.startswith("Reduce") and "axes" in c["attributes"]:
        axes = np.array(c["attributes"].pop("axes")["ints"], np.int64)
        c["inputs"].append(tensor(TensorProto.INT64, axes))
    if node.op_type == "DFT" and len(c["inputs"]) < 3:  # the axis was an attribute
        at = c["attributes"].pop("axis", {"int": 1} if opset(case) < 20 else {"int": -2})
        c["inputs"] += [None] * (2 - len(c["inputs"]))
        c["inputs"].append(tensor(TensorProto.INT64, np.array(at["int"], np.int64)))
    if node.op_type in ("Cast", "CastLike") and c["outputs"][0]["type"] == "bf16":
        raise Skip("the generator cuts off what newer versions round")
    size = sum(len(t["data"]) * 3 // 4 for t in c["inputs"] + c["outputs"] if t)
    if size > LIMIT:
        raise Skip("%d bytes" % size)
    return c


def write(out, cases):
    text = json.dumps(cases, separators=(",", ":"), sort_keys=True)
    with open(out, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0) as z:
        z.write(text.encode())


def main():
    out, wanted = sys.argv[1], set(sys.argv[2:])
    cases, seen = [], set()
    np.random.seed(1)
    for case in collect_testcases(None):
        graph = case.model.graph
        if case.name in seen or len(graph.node) != 1 or graph.node[0].op_type not in wanted:
            continue
        if graph.node[0].domain not in ("", "ai.onnx"):
            continue
        seen.add(case.name)
        try:
            cases.append(convert(case))
        except Skip as why:
            print("skip %s: %s" % (case.name, why), file=sys.stderr)
    missing = wanted - {c["operator"] for c in cases}
    if missing:
        print("no cases of", *sorted(missing), file=sys.stderr)
    write(out, cases)
    print("%d cases of %d operators, %s" % (len(cases), len(wanted - missing), onnx.__version__))


if __name__ == "__main__":
    main()
