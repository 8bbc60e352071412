"""Writes pytorch.json: outputs and gradients of operators as PyTorch computes them in double precision.

Usage: python3 pytorch.py > pytorch.json"""
import json
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
cases = []


def stored(x):
    return {"shape": list(x.shape), "data": [float(f"{v:.9g}") for v in x.detach().flatten().tolist()]}


def case(operator, options, function, **inputs):
    """Runs function on leaves of the given shapes (or values), backwards from a random gradient."""
    leaves = {}
    for name, x in inputs.items():
        # What the test reads must be what was computed with.
        x = torch.randn(*x) if isinstance(x, tuple) else x
        leaves[name] = x.float().double().requires_grad_()
    y = function(**leaves)
    upstream = torch.randn_like(y).float().double()
    y.backward(upstream)
    cases.append({
        "operator": operator, "options": options, "output": stored(y), "upstream": stored(upstream),
        "inputs": {n: stored(x) for n, x in leaves.items()}, "gradients": {n: stored(x.grad) for n, x in leaves.items()},
    })


for c, k, h, w, r, stride, pad, dilation, groups in [
        (3, 5, 7, 9, 3, 1, 1, 1, 1), (4, 6, 8, 6, 1, 1, 0, 1, 1), (6, 6, 9, 11, 3, 2, 1, 1, 6), (6, 6, 10, 8, 5, 1, 2, 1, 6),
        (4, 8, 9, 9, 3, 2, 1, 1, 2), (2, 3, 12, 12, 3, 1, 2, 2, 1), (17, 19, 6, 5, 3, 1, 0, 1, 1)]:
    case("conv2d", dict(stride=stride, pad=pad, dilation=dilation, groups=groups),
         lambda x, w, b: F.conv2d(x, w, b, stride, pad, dilation, groups), x=(2, c, h, w), w=(k, c // groups, r, r), b=(k,))
case("linear", {}, lambda x, w, b: F.linear(x, w, b), x=(5, 19), w=(23, 19), b=(23,))
case("batchnorm", dict(epsilon=1e-3), lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0, 1e-3), x=(3, 5, 4, 7), w=(5,), b=(5,))
case("layernorm", dict(epsilon=1e-3), lambda x, w, b: F.layer_norm(x, (37,), w, b, 1e-3), x=(6, 37), w=(37,), b=(37,))
case("rmsnorm", dict(epsilon=1e-3), lambda x, w: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-3) * w, x=(6, 37), w=(37,))
case("groupnorm", dict(epsilon=1e-3, groups=3), lambda x, w, b: F.group_norm(x, 3, w, b, 1e-3), x=(2, 6, 4, 5), w=(6,), b=(6,))
case("instancenorm", dict(epsilon=1e-3), lambda x, w, b: F.instance_norm(x, None, None, w, b, True, 0, 1e-3), x=(2, 6, 4, 5), w=(6,), b=(6,))
case("softmax", {}, lambda x: F.softmax(x, -1), x=(5, 21))
case("logsoftmax", {}, lambda x: F.log_softmax(x, -1), x=(5, 21))
case("maxpool", dict(kernel=3, stride=2, pad=1), lambda x: F.max_pool2d(x, 3, 2, 1), x=(2, 3, 9, 8))
case("averagepool", dict(kernel=3, stride=2, pad=1), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), x=(2, 3, 9, 8))
for name, f in dict(relu=F.relu, relu6=F.relu6, hardswish=F.hardswish, hardsigmoid=F.hardsigmoid, sigmoid=torch.sigmoid,
                    silu=F.silu, gelu=F.gelu, tanh=torch.tanh).items():
    case("activation", dict(function=name), lambda x: f(x), x=torch.linspace(-7.3, 7.1, 97))
x = torch.linspace(-7.3, 7.1, 97)
case("activation", dict(function="gelutanh"),
     lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi)**0.5 * (x + 0.044715 * x**3))), x=x)


def attention(q, k, v, causal):
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    s = q @ k.transpose(-2, -1) * q.shape[-1]**-0.5
    if causal:  # the last query sees all keys
        lq, lk = s.shape[-2:]
        s = s.masked_fill(torch.ones(lq, lk).tril(lk - lq) == 0, -torch.inf)
    return torch.softmax(s, -1) @ v


for heads, shared, lq, lk, d, causal in [(2, 2, 7, 7, 8, False), (2, 2, 9, 9, 12, True), (4, 2, 5, 11, 16, False), (3, 1, 1, 20, 8, True)]:
    case("attention", dict(causal=causal), lambda q, k, v: attention(q, k, v, causal), q=(2, heads, lq, d), k=(2, shared, lk, d), v=(2, shared, lk, d))

json.dump({"pytorch": torch.__version__, "cases": cases}, sys.stdout, separators=(",", ":"))
