"""Writes pytorch.json beside itself: results and gradients of PyTorch, in
float64, that the tests compare this package with.

Usage: python3 generate.py      (PyTorch 1.13 wrote the stored file)
"""
import json, os, torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def tensor(x, digits=9):
    # Nine digits give a float32 back exactly, so that both sides start from the same numbers.
    return {"shape": list(x.shape), "data": [float(f"{v:.{digits}g}") for v in x.detach().reshape(-1).tolist()]}


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape).float().double() * scale).float().double().requires_grad_()


cases = []


def case(name, inputs, f):
    out = f(*inputs)
    up = torch.randn(out.shape).float().double()
    out.backward(up)
    cases.append({"name": name, "inputs": [tensor(x) for x in inputs], "output": tensor(out, 7),
                  "upstream": tensor(up), "gradients": [tensor(x.grad, 7) for x in inputs]})


case("conv3x3", [leaf(3, 4, 6, 7), leaf(5, 4, 3, 3), leaf(5)], lambda x, w, b: F.conv2d(x, w, b, padding=1))
case("conv3x3.stride2", [leaf(2, 3, 7, 6), leaf(4, 3, 3, 3), leaf(4)], lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1))
case("conv5x3.dilation2x1.pad", [leaf(2, 3, 9, 6), leaf(2, 3, 5, 3), leaf(2)],
     lambda x, w, b: F.conv2d(F.pad(x, (0, 2, 3, 1)), w, b, dilation=(2, 1)))
case("conv1x1", [leaf(10, 8, 3, 3), leaf(6, 8, 1, 1)], lambda x, w: F.conv2d(x, w))
case("conv1x1.plane1", [leaf(9, 8, 1, 1), leaf(6, 8, 1, 1), leaf(6)], lambda x, w, b: F.conv2d(x, w, b))
case("conv3x3.group2", [leaf(2, 4, 5, 5), leaf(6, 2, 3, 3), leaf(6)], lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=2))
case("depthwise3x3", [leaf(2, 5, 7, 7), leaf(5, 1, 3, 3)], lambda x, w: F.conv2d(x, w, padding=1, groups=5))
case("depthwise5x5.stride2", [leaf(9, 3, 7, 8), leaf(3, 1, 5, 5)], lambda x, w: F.conv2d(x, w, stride=2, padding=2, groups=3))
case("depthwise7x7", [leaf(2, 3, 4, 4), leaf(3, 1, 7, 7)], lambda x, w: F.conv2d(x, w, padding=3, groups=3))
case("linear", [leaf(11, 7), leaf(5, 7), leaf(5)], F.linear)
for act, f in [("none", lambda x: x), ("relu", F.relu), ("relu6", F.relu6), ("hswish", F.hardswish)]:
    case("batchnorm." + act, [leaf(9, 3, 4, 3, scale=2), leaf(3, scale=2), leaf(3, scale=2)],
         lambda x, s, b, f=f: f(F.batch_norm(x, None, None, s, b, training=True, eps=1e-3)))
case("batchnorm.given.hswish", [leaf(9, 3, 4, 3, scale=2), leaf(3, scale=2), leaf(3, scale=2)],
     lambda x, s, b: F.hardswish(F.batch_norm(x, torch.tensor([0.5, -0.25, 1]), torch.tensor([2, 0.5, 1]), s, b, training=False, eps=1e-3)))
for act, f in [("relu", F.relu), ("relu6", F.relu6), ("hswish", F.hardswish), ("hsigmoid", F.hardsigmoid), ("sigmoid", torch.sigmoid)]:
    case("activation." + act, [leaf(4, 40, scale=4)], f)
case("add", [leaf(9, 2, 3), leaf(9, 2, 3)], torch.add)
case("mul", [leaf(9, 2, 3), leaf(9, 2, 3)], torch.mul)
case("mul.channels", [leaf(9, 2, 3, 4), leaf(9, 2, 1, 1)], torch.mul)
case("globalavgpool", [leaf(9, 3, 3, 5)], lambda x: x.mean((2, 3), keepdim=True))
case("softmax", [leaf(5, 10, scale=3)], lambda x: F.softmax(x, 1))
case("crossentropy", [leaf(5, 10, scale=3)], lambda x: F.cross_entropy(x, torch.arange(5) * 2).reshape(1))
case("crossentropy.smoothing", [leaf(5, 10, scale=3)], lambda x: F.cross_entropy(x, torch.arange(5) * 2, label_smoothing=0.1).reshape(1))
teacher = leaf(5, 10).detach()
case("softcrossentropy", [leaf(5, 10, scale=3)], lambda x: F.cross_entropy(x, F.softmax(teacher, 1)).reshape(1))
cases[-1]["target"] = tensor(F.softmax(teacher, 1))
case("slice.centre", [leaf(2, 3, 6, 6), leaf(5, 1, 7, 7)], lambda x, w: F.conv2d(x, w[:3, :, 2:5, 2:5], padding=1, groups=3))

optimisers = []
for nesterov, clip in [(False, 0), (True, 0), (False, 0.5)]:
    w, b = leaf(4, 3), leaf(4)
    start = [tensor(w), tensor(b)]
    sgd = torch.optim.SGD([{"params": [w], "weight_decay": 0.1}, {"params": [b]}], 0.3, momentum=0.9, nesterov=nesterov)
    gradients, norms = [], []
    for _ in range(4):
        w.grad, b.grad = leaf(4, 3).detach(), leaf(4).detach()
        gradients.append([tensor(w.grad), tensor(b.grad)])
        norms.append(float(torch.nn.utils.clip_grad_norm_([w, b], clip or 1e9)))
        sgd.step()
    optimisers.append({"nesterov": nesterov, "clip": clip or 1e9, "start": start, "gradients": gradients, "norms": norms, "end": [tensor(w), tensor(b)]})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch.json")
with open(path, "w") as f:
    f.write('{"version": %s,\n"cases": [\n' % json.dumps(torch.__version__))
    f.write(",\n".join(json.dumps(c) for c in cases))
    f.write('],\n"optimisers": [\n')
    f.write(",\n".join(json.dumps(o) for o in optimisers))
    f.write("]}\n")
