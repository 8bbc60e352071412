#!/usr/bin/python3
"""Writes cases of ONNX's backend node tests from folders with model.onnx and
test_data_set_0, as a checkout of github.com/onnx/onnx has them in
onnx/backend/test/data/node (until August 2026; Apache-2.0): for operators newer
than the installed onnx package.

    folder_cases.py OUT.json.gz DIR OPERATOR...

Expanded cases and those over LIMIT bytes are left out. For the format see
onnx_cases.py.
"""
import glob
import gzip
import json
import os
import sys

import onnx

import onnx_cases


def load(path):
    t = onnx.TensorProto()
    with open(path, "rb") as f:
        t.ParseFromString(f.read())
    return onnx_cases.tensor(t.data_type, t)


def numbered(folder, kind, names):
    files = (f"{folder}/{kind}_{i}.pb" for i in range(len(names)))
    given = iter([load(f) for f in files if os.path.exists(f)])
    return [next(given) if name else None for name in names]


cases = []
for folder in sorted(glob.glob(sys.argv[2] + "/*")):
    graph = onnx.load(folder + "/model.onnx").graph
    if len(graph.node) != 1 or graph.node[0].op_type not in sys.argv[3:] or graph.initializer:
        continue
    node = graph.node[0]
    try:
        case = {
            "name": os.path.basename(folder), "operator": node.op_type,
            "attributes": {a.name: onnx_cases.attribute(a) for a in node.attribute},
            "inputs": numbered(folder + "/test_data_set_0", "input", node.input),
            "outputs": numbered(folder + "/test_data_set_0", "output", node.output),
        }
    except (onnx_cases.Skip, StopIteration) as e:
        print("skip", folder, e, file=sys.stderr)
        continue
    if len(json.dumps(case)) < 2 * onnx_cases.LIMIT:
        cases.append(case)
with open(sys.argv[1], "wb") as f:
    f.write(gzip.compress(json.dumps(cases, separators=(",", ":"), sort_keys=True).encode(), mtime=0))
print(len(cases), "cases", sorted({c["operator"] for c in cases}), file=sys.stderr)
