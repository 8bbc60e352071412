#!/usr/bin/env python3
# An adapter for LiteRT (TensorFlow Lite): it converts each ONNX model to a
# .tflite file with onnx2tf and runs that.
#   hwprofd profile --runtime ./adapters/litert.py -o litert.lut.parquet --model resnet.onnx -- 1
# The argument is the number of threads. It needs the packages ai-edge-litert (or
# tflite-runtime), onnx2tf and numpy.
# NOT RUN with these packages by its authors, who could not install them: it was
# tried with stand-ins for them (adapters/testdata) and a recorded session.
# onnx2tf changes the layout to NHWC, so inputs are made here and outputs are not
# compared; delegates (GPU, NNAPI) are arguments of Interpreter.
import glob, json, os, shutil, sys, tempfile, time
replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what libraries print must not come between the replies
import numpy as np
import onnx2tf
try:
    import ai_edge_litert as package
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    import tflite_runtime as package
    from tflite_runtime.interpreter import Interpreter

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
interpreter = None


def load(q):
    global interpreter
    interpreter, folder = None, tempfile.mkdtemp()
    try:
        onnx2tf.convert(input_onnx_file_path=q["model"], output_folder_path=folder, non_verbose=True)
        made = Interpreter(model_path=glob.glob(os.path.join(folder, "*float32.tflite"))[0], num_threads=threads)
        made.allocate_tensors()
        random = np.random.default_rng(1)
        for i in made.get_input_details():
            x = random.uniform(-1, 1, i["shape"]) if np.issubdtype(i["dtype"], np.floating) else np.zeros(i["shape"])
            made.set_tensor(i["index"], x.astype(i["dtype"]))
        made.invoke()
        interpreter = made
    finally:
        shutil.rmtree(folder)


def answer(q):
    global interpreter
    op = q["op"]
    if op == "hello":
        version = getattr(package, "__version__", "unknown")
        return dict(protocol=1, name="litert", version=version, options={"delegate": "none"}, threads=threads, clock_step_ns=100, can=[])
    if op == "load":
        return load(q)
    if op in ("unload", "shutdown"):
        interpreter = None
        return {}
    if op != "run":
        raise ValueError("operation %s is not known" % op)
    if interpreter is None or q["n"] < 1:
        raise ValueError("no model is loaded, or n is below 1")
    for _ in range(q.get("warm", 0)):
        interpreter.invoke()
    start = time.perf_counter_ns()
    for _ in range(q["n"]):
        interpreter.invoke()
    return dict(start_ns=start, end_ns=time.perf_counter_ns())


for line in sys.stdin:
    try:
        q = json.loads(line)
        reply = {"ok": True, **(answer(q) or {})}
    except (Exception, SystemExit) as e:  # onnx2tf exits where it cannot convert
        q, reply = {}, {"ok": False, "error": "%s: %s" % (type(e).__name__, e)}
    replies.write(json.dumps(reply) + "\n")
    if q.get("op") == "shutdown":
        break
