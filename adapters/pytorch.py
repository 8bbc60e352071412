#!/usr/bin/env python3
# An adapter for PyTorch: it runs ONNX models node by node with torch's operators.
#   hwprofd profile --runtime ./adapters/pytorch.py -o torch.lut.parquet --model resnet.onnx -- 1
# The argument is the number of threads; add operators that your networks need. Run with PyTorch 1.13.
import json, os, sys, time
import numpy as np, onnx, onnx.numpy_helper, torch
import torch.nn.functional as F
replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what libraries print must not come between the replies
threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
torch.set_num_threads(threads)
def padded(x, a, value=0.0):  # x and its pads, where those of both ends are equal; else x with them
    p = a.get("pads", [0, 0, 0, 0])
    return (x, p[:2]) if p[:2] == p[2:] else (F.pad(x, (p[1], p[3], p[0], p[2]), value=value), [0, 0])
def conv(a, x, w, b=None):
    x, p = padded(x, a)
    return F.conv2d(x, w, b, a.get("strides", 1), p, a.get("dilations", 1), a.get("group", 1))
def max_pool(a, x):
    x, p = padded(x, a, -float("inf"))
    return F.max_pool2d(x, a["kernel_shape"], a.get("strides", 1), p)
def gemm(a, x, w, b=None):
    x, w = x.t() if a.get("transA") else x, w.t() if a.get("transB") else w
    product = x @ w if b is None else torch.addmm(b, x, w, beta=a.get("beta", 1), alpha=a.get("alpha", 1))
    return product * a.get("alpha", 1) if b is None and "alpha" in a else product
OPERATORS = {
    "Conv": conv, "Gemm": gemm, "MaxPool": max_pool, "MatMul": lambda a, x, y: x @ y, "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y, "Mul": lambda a, x, y: x * y, "Div": lambda a, x, y: x / y, "Relu": lambda a, x: F.relu(x),
    "Sigmoid": lambda a, x: torch.sigmoid(x), "HardSwish": lambda a, x: F.hardswish(x), "Tanh": lambda a, x: torch.tanh(x),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1), "Erf": lambda a, x: torch.erf(x),
    "Gelu": lambda a, x: F.gelu(x, approximate=a.get("approximate", b"none").decode()), "Softmax": lambda a, x: F.softmax(x, a.get("axis", -1)),
    "AveragePool": lambda a, x: F.avg_pool2d(x, a["kernel_shape"], a.get("strides", 1), a.get("pads", [0, 0])[:2], count_include_pad=bool(a.get("count_include_pad"))),
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True), "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "LayerNormalization": lambda a, x, w, b=None: F.layer_norm(x, w.shape, w, b, a.get("epsilon", 1e-5)), "Identity": lambda a, x: x,
    "Clip": lambda a, x, low=None, high=None: torch.clamp(x, low, high), "Transpose": lambda a, x: x.permute(a["perm"]).contiguous(),
    "Reshape": lambda a, x, s: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(s.tolist())]),
    "ReduceMean": lambda a, x, axes=None: x.mean(a["axes"] if axes is None else axes.tolist(), keepdim=bool(a.get("keepdims", 1))),
}
def load(q):
    global model, values
    model, graph = None, onnx.load(q["model"]).graph
    if unknown := {n.op_type for n in graph.node} - set(OPERATORS):
        raise ValueError("no operator %s" % unknown)
    values = {i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).copy()) for i in graph.initializer}
    values.update((i["name"], torch.from_numpy(np.load(i["file"]))) for i in q.get("inputs", []))
    nodes = [(OPERATORS[n.op_type], {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}, list(n.input), n.output[0]) for n in graph.node]
    run(nodes)
    model = nodes, [o.name for o in graph.output]
def run(nodes):
    v = dict(values)
    for f, a, inputs, output in nodes:
        v[output] = f(a, *[v[i] if i else None for i in inputs])
    return v
def answer(q):
    op = q["op"]
    if op == "hello":
        return dict(protocol=1, name="pytorch", version=torch.__version__, options={"mode": "eager"}, threads=threads, clock_step_ns=100, can=["outputs"])
    if op in ("load", "unload", "shutdown"):
        return load(q) if op == "load" else globals().update(model=None)
    if op not in ("run", "outputs") or model is None or op == "run" and q["n"] < 1:
        raise ValueError("no model is loaded" if op in ("run", "outputs") and model is None else "cannot do %s" % q)
    if op == "outputs":
        v, files = run(model[0]), [os.path.join(q["folder"], "output%d.npy" % i) for i in range(len(model[1]))]
        for f, o in zip(files, model[1]):
            np.save(f, v[o].contiguous().numpy())
        return dict(outputs=files)
    for i in range(-q.get("warm", 0), q["n"]):
        start = time.perf_counter_ns() if i <= 0 else start
        run(model[0])
    return dict(start_ns=start, end_ns=time.perf_counter_ns())
model = None
with torch.inference_mode():
    for line in sys.stdin:
        try:
            q = json.loads(line)
            reply = {"ok": True, **(answer(q) or {})}
        except Exception as e:
            q, reply = {}, {"ok": False, "error": "%s: %s" % (type(e).__name__, e)}
        replies.write(json.dumps(reply) + "\n")
        if q.get("op") == "shutdown":
            break
