#!/usr/bin/env python3
# An adapter for OpenVINO, which reads ONNX models itself.
#   hwprofd profile --runtime ./adapters/openvino_runtime.py -o ov.lut.parquet --model resnet.onnx -- 1 CPU
# The arguments are the number of threads and the device, such as CPU or GPU. It
# needs the packages openvino (2023.1 or later) and numpy.
# NOT RUN with OpenVINO by its authors, who could not install it: it was tried
# with a stand-in for it (adapters/testdata) and a recorded session.
import json, os, sys, time
replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what libraries print must not come between the replies
import numpy as np
import openvino as ov

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
device = sys.argv[2] if len(sys.argv) > 2 else "CPU"
core, request, outputs = ov.Core(), None, []
config = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "PERF_COUNT": "YES"}
if device == "CPU":
    config["INFERENCE_NUM_THREADS"] = str(threads)


def load(q):
    global request, outputs
    request, model = None, core.read_model(q["model"])
    arrays = {i["name"]: np.load(i["file"]) for i in q.get("inputs", [])}
    if arrays:
        model.reshape({name: list(x.shape) for name, x in arrays.items()})
    compiled = core.compile_model(model, device, config)
    made = compiled.create_infer_request()
    for name, x in arrays.items():
        made.set_tensor(name, ov.Tensor(x))
    made.infer()
    request, outputs = made, list(compiled.outputs)


def answer(q):
    global request
    op = q["op"]
    if op == "hello":
        options = {"device": device, "hint": config["PERFORMANCE_HINT"]}
        return dict(protocol=1, name="openvino", version=ov.__version__, options=options, threads=threads, clock_step_ns=100, can=["outputs", "nodes"])
    if op == "load":
        return load(q)
    if op in ("unload", "shutdown"):
        request = None
        return {}
    if op not in ("run", "nodes", "outputs"):
        raise ValueError("operation %s is not known" % op)
    if request is None:
        raise ValueError("no model is loaded")
    if op == "outputs":
        request.infer()
        files = [os.path.join(q["folder"], "output%d.npy" % i) for i in range(len(outputs))]
        for file, o in zip(files, outputs):
            np.save(file, np.ascontiguousarray(request.get_tensor(o).data))
        return dict(outputs=files)
    if q["n"] < 1:
        raise ValueError("n is %d, want one or more" % q["n"])
    for _ in range(q.get("warm", 0)):
        request.infer()
    nodes, start = {}, time.perf_counter_ns()
    for _ in range(q["n"]):
        request.infer()
        for p in request.profiling_info if op == "nodes" else ():
            name = (p.node_name, p.node_type)
            nodes[name] = nodes.get(name, 0) + p.real_time.total_seconds() * 1e9 / q["n"]
    if op == "nodes":
        return dict(nodes=[dict(name=n, op=t, ns=ns) for (n, t), ns in nodes.items()])
    return dict(start_ns=start, end_ns=time.perf_counter_ns())


for line in sys.stdin:
    try:
        q = json.loads(line)
        reply = {"ok": True, **(answer(q) or {})}
    except Exception as e:
        q, reply = {}, {"ok": False, "error": "%s: %s" % (type(e).__name__, e)}
    replies.write(json.dumps(reply) + "\n")
    if q.get("op") == "shutdown":
        break
