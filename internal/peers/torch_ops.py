"""Times single operators, forward and backward, in PyTorch on the CPU: those of small networks at batch 64.

Prints rows as the other peers do. Usage: torch_ops.py THREADS [PART OF THE NAME]"""
import statistics, sys, time, torch, torch.nn.functional as F

threads, only = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
torch.set_num_threads(threads)
torch.manual_seed(0)

CONV = [  # channels, height, outputs, window, stride, groups
    (1, 28, 32, 3, 1, 1), (32, 14, 64, 3, 1, 1), (1, 28, 16, 3, 1, 1), (16, 28, 64, 1, 1, 1), (64, 14, 24, 1, 1, 1),
    (24, 14, 96, 1, 1, 1), (96, 14, 24, 1, 1, 1), (96, 7, 40, 1, 1, 1), (40, 7, 160, 1, 1, 1), (160, 7, 40, 1, 1, 1), (160, 7, 64, 1, 1, 1),
    (64, 28, 64, 3, 2, 64), (96, 14, 96, 3, 1, 96), (96, 14, 96, 5, 2, 96), (160, 7, 160, 5, 1, 160), (160, 7, 160, 3, 1, 160)]
LINEAR = [(64, 784, 1024), (64, 1024, 1024), (64, 3136, 128), (3136, 128, 384), (3136, 128, 128), (3136, 128, 512), (3136, 512, 128)]
BATCHNORM = [(16, 28), (64, 28), (64, 14), (24, 14), (96, 14), (96, 7), (40, 7), (160, 7), (64, 7)]


def randn(*shape): return torch.randn(*shape, requires_grad=True)


def attention(q, k, v): return (q @ k.transpose(-1, -2) * q.shape[-1] ** -.5).softmax(-1) @ v


def operators():
    for c, h, k, r, s, g in CONV:
        yield f"conv_n64c{c}h{h}k{k}r{r}s{s}g{g}", lambda x, w, s=s, r=r, g=g: F.conv2d(x, w, stride=s, padding=r // 2, groups=g), (randn(64, c, h, h), randn(k, c // g, r, r))
    for n, c, k in LINEAR:
        yield f"linear_n{n}c{c}k{k}", F.linear, (randn(n, c), randn(k, c), randn(k))
    for c, h in BATCHNORM:
        yield f"batchnorm_n64c{c}h{h}", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), (randn(64, c, h, h), randn(c), randn(c))
    yield "layernorm_n3136c128", lambda x, w, b: F.layer_norm(x, (128,), w, b), (randn(3136, 128), randn(128), randn(128))
    yield "attention_n64h4q49kv49d32", attention, (randn(64, 4, 49, 32), randn(64, 4, 49, 32), randn(64, 4, 49, 32))


for name, forward, inputs in operators():
    if only not in name: continue
    gradient = torch.randn_like(forward(*inputs))
    def run(): torch.autograd.grad(forward(*inputs), inputs, gradient)
    begin, runs = time.perf_counter_ns(), 0
    while time.perf_counter_ns() - begin < 1e8: run(); runs += 1
    inner, times = runs // 20 + 1, []
    for _ in range(41):
        begin = time.perf_counter_ns()
        for _ in range(inner): run()
        times.append((time.perf_counter_ns() - begin) / inner)
    print(f"pytorch-{torch.__version__},backward,{name},f32,{threads},{statistics.median(times):.0f},{min(times):.0f},", flush=True)
