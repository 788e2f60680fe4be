"""PyTorch on one thread, traced and frozen: the window anew for each token, and one token with
keys and values in a ring.

    python pytorch.py MODEL_DIR
"""

import math
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent.parent))
import worker  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)
stored = np.load(Path(sys.argv[1]) / "model.npz")
LAYERS, HEADS, DIM, D, WINDOW = 6, 8, 8, 64, worker.WINDOW
scaled = torch.tensor(stored["scaled"])
rotated = torch.tensor(stored["rotated"])
NAMES = [n for n in stored.files if n.endswith(("weight", "bias"))]


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name in NAMES:
            self.register_buffer(name.replace(".", "_"), torch.tensor(stored[name]))
        age = torch.arange(WINDOW)[:, None] - torch.arange(WINDOW)[None, :]
        for l in range(LAYERS):
            bias = self.of(f"l{l}.attn.age_bias")[:, age.clamp(0)]
            self.register_buffer(f"bias{l}", bias.masked_fill(age < 0, -math.inf))

    def of(self, name):
        return getattr(self, name.replace(".", "_"))

    def linear(self, x, name):
        return F.linear(x, self.of(f"{name}.weight"), self.of(f"{name}.bias"))

    def norm(self, x, name):
        return F.layer_norm(x, (D,), self.of(f"{name}.weight"), self.of(f"{name}.bias"), 1e-5)

    def qkv(self, x, l):
        parts = self.linear(self.norm(x, f"l{l}.norm1"), f"l{l}.attn.qkv")
        return parts.reshape(-1, 3, HEADS, DIM).permute(1, 2, 0, 3).unbind(0)

    def rest(self, x, mixed, l):
        x = x + self.linear(mixed.transpose(0, 1).reshape(-1, D), f"l{l}.attn.out")
        wide = F.gelu(self.linear(self.norm(x, f"l{l}.norm2"), f"l{l}.ff1"), approximate="tanh")
        return x + self.linear(wide, f"l{l}.ff2")


class WindowModel(Encoder):
    def forward(self, x):
        x = self.linear(x, "input")
        for l in range(LAYERS):
            q, k, v = self.qkv(x, l)
            bias = getattr(self, f"bias{l}")
            if l == LAYERS - 1:
                q, bias, x = q[:, -1:], bias[:, -1:], x[-1:]
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            x = self.rest(x, mixed, l)
        return self.linear(self.norm(x, "norm_f"), "head")


class StepModel(Encoder):
    def forward(self, x, keys, values, bias, slot):
        x = self.linear(x, "input")
        for l in range(LAYERS):
            q, k, v = self.qkv(x, l)
            keys[l].index_copy_(1, slot, k)
            values[l].index_copy_(1, slot, v)
            mixed = F.scaled_dot_product_attention(q, keys[l], values[l], attn_mask=bias[l])
            x = self.rest(x, mixed, l)
        return self.linear(self.norm(x, "norm_f"), "head")


def frozen(module, *example):
    return torch.jit.freeze(torch.jit.trace(module.eval(), example, check_trace=False))


class Window:
    def __init__(self):
        self.x = list(scaled.split(WINDOW))
        self.model = frozen(WindowModel(), self.x[0])

    def run(self, count):
        for i in range(count):
            self.model(self.x[i % len(self.x)])

    def check(self):
        return np.array([self.model(x)[0].numpy() for x in self.x])


class Step:
    def __init__(self):
        self.keys = torch.zeros(LAYERS, HEADS, WINDOW, DIM)
        self.values = torch.zeros(LAYERS, HEADS, WINDOW, DIM)
        # The newest token stands in its own slot.
        own = torch.stack([torch.tensor(stored[f"l{l}.attn.age_bias"])[:, 0]
                           for l in range(LAYERS)])
        self.bias = rotated.clone()
        for position in range(2 * WINDOW):
            self.bias[position, :, :, position % WINDOW] = own
        self.bias = self.bias[:, :, :, None].contiguous()
        self.slots = [torch.tensor([s]) for s in range(WINDOW)]
        self.x = [x[None] for x in scaled]
        self.model = frozen(StepModel(), *self.arguments(0))

    def arguments(self, position):
        slot = position % WINDOW
        bias = self.bias[min(position, WINDOW + slot)]
        return self.x[position % len(self.x)], self.keys, self.values, bias, self.slots[slot]

    def run(self, count):
        for i in range(WINDOW, WINDOW + count):
            self.model(*self.arguments(i))

    def check(self):
        return np.array([self.model(*self.arguments(i))[0].numpy() for i in range(len(scaled))])


ways = {"window": Window(), "step": Step()}
for way in ways.values():
    way.run(100)
worker.serve(
    torch.__version__.split("+")[0],
    {name: way.run for name, way in ways.items()},
    lambda: {name: way.check() for name, way in ways.items()},
)
