"""Labelled tokens per CPU second: ijk-train's loop against PyTorch on the same model, in one run.

torch==2.15.0 numpy==2.4.6 (Python 3.11), one thread each:

    cargo build --release -p ijk-models --example train_throughput
    .venv/bin/python scripts/train_throughput.py target/release/examples/train_throughput

Two PyTorch loops on the encoder of the kernel (12 -> 64 wide, 6 blocks, 8 heads, window 64):
- `window`: the usual one, a batch of 64-token windows with one label each;
- `banded`: the very batches of ijk-train, 8 sequences of 256 tokens, every token labelled,
  attention over chunks of the band as in models/src/attention.rs.
"""

import json
import math
import os
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

D, HEADS, LAYERS, FF, WINDOW, FEATURES = 64, 8, 6, 256, 64, 12
torch.set_num_threads(1)
torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.up, self.down = nn.Linear(D, FF), nn.Linear(FF, D)
        slopes = torch.tensor([2.0 ** (-8 * (h + 1) / HEADS) for h in range(HEADS)])
        self.age_bias = nn.Parameter(-slopes[:, None] * torch.arange(WINDOW))

    def attend_window(self, x):
        batch, count, _ = x.shape
        parts = self.qkv(x).view(batch, count, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        age = torch.arange(count)[:, None] - torch.arange(count)
        bias = self.age_bias[:, age.clamp(0, WINDOW - 1)].masked_fill(age < 0, -1e9)
        mixed = F.scaled_dot_product_attention(*parts, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, D))

    def attend_banded(self, x):
        batch, count, _ = x.shape
        chunks = count // WINDOW
        parts = self.qkv(x).view(batch, chunks, WINDOW, 3, HEADS, D // HEADS)
        q, k, v = parts.permute(3, 0, 1, 4, 2, 5)
        before = lambda t: torch.cat([torch.zeros_like(t[:, :1]), t[:, :-1]], 1)
        k, v = torch.cat([before(k), k], 3), torch.cat([before(v), v], 3)
        age = WINDOW + torch.arange(WINDOW)[:, None] - torch.arange(2 * WINDOW)
        inside = (age >= 0) & (age < WINDOW)
        bias = torch.where(inside, self.age_bias[:, age.clamp(0, WINDOW - 1)], -1e9)
        first = (torch.arange(chunks) == 0)[:, None, None, None]
        old = (torch.arange(2 * WINDOW) < WINDOW)[None, None, None]
        bias = bias[None].masked_fill(first & old, -1e9)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.out(mixed.transpose(2, 3).reshape(batch, count, D))

    def forward(self, x, banded):
        attend = self.attend_banded if banded else self.attend_window
        x = x + attend(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.input, self.head = nn.Linear(FEATURES, D), nn.Linear(D, 20)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(D)

    def forward(self, x, banded):
        x = self.input(x)
        for block in self.blocks:
            x = block(x, banded)
        # One label a window: only the last token is read.
        return self.head(self.norm(x if banded else x[:, -1:]))


def loss_of(out):
    out = out.reshape(-1, 4, 5)
    target = torch.ones(out.shape[0] * 4, dtype=torch.long)
    log_var = out[..., 4].clamp(-10, 10)
    gauss = 0.5 * (log_var + (0.5 - out[..., 3]) ** 2 * torch.exp(-log_var))
    return F.cross_entropy(out[..., :3].reshape(-1, 3), target) + gauss.mean()


def per_cpu_second(banded, batch, count, labels, steps):
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    began = 0.0
    for step in range(steps + 1):
        if step == 1:  # the first step warms up
            began = time.process_time()
        optimizer.zero_grad()
        loss_of(model(torch.rand(batch, count, FEATURES) - 0.5, banded)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return labels * steps / (time.process_time() - began)


def main():
    steps = 12
    rounds = []
    env = dict(os.environ, RAYON_NUM_THREADS="1")
    for _ in range(3):  # interleaved: a busy machine slows all alike
        ours = json.loads(subprocess.check_output([sys.argv[1], str(steps)], env=env))["per_cpu_s"]
        banded = per_cpu_second(True, 8, 256, 8 * 256, steps)
        window = per_cpu_second(False, 32, WINDOW, 32, steps)
        rounds.append((ours, banded, window))
    median = [sorted(column)[1] for column in zip(*rounds)]
    print(json.dumps({
        "torch": torch.__version__, "labelled_tokens_per_cpu_s": {
            "ijk-train": round(median[0]), "torch banded": round(median[1]),
            "torch one label a window": round(median[2])},
        "against torch banded": round(median[0] / median[1], 3),
        "against one label a window": round(median[0] / median[2], 1),
        "rounds": [[round(v) for v in r] for r in rounds]}, indent=1))


if __name__ == "__main__":
    main()
