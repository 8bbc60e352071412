"""A stand-in for OpenVINO's Python package; see ../../README.md."""
import datetime
import os

import numpy as np

__version__ = "stand-in"
_recorded = np.load(os.path.join(os.path.dirname(__file__), "..", "..", "recorded.npz"))


class Tensor:
    def __init__(self, data):
        self.data = data


class Model:
    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.names = [n for n in _recorded.files if n.replace("|", "/").encode() in data]
        if not self.names and b"relu/f32/n1c1h1w1" not in data:
            raise RuntimeError("Unable to read the model: %s" % path)

    def reshape(self, shapes):
        assert all(isinstance(d, int) for shape in shapes.values() for d in shape)


class Core:
    def read_model(self, path):
        return Model(path)

    def compile_model(self, model, device, config):
        assert device == "CPU" and config["INFERENCE_NUM_THREADS"] == "1"
        return Compiled(model)


class Compiled:
    def __init__(self, model):
        self.model, self.outputs = model, ["output"]

    def create_infer_request(self):
        return Request(self.model)


class Profile:
    node_name, node_type, real_time = "relu", "ReLU", datetime.timedelta(microseconds=3)


class Request:
    profiling_info = [Profile()]

    def __init__(self, model):
        self.model = model

    def set_tensor(self, name, tensor):
        assert isinstance(tensor, Tensor)

    def infer(self):
        sum(range(100))

    def get_tensor(self, output):
        return Tensor(_recorded[self.model.names[0]])
