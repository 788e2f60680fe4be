"""Golden values of the encoder from PyTorch in float64, an implementation that is not ours.

torch==2.15.0 numpy==2.4.6 (Python 3.11)

    python3 -m venv .venv && .venv/bin/pip install torch==2.15.0 numpy==2.4.6
    .venv/bin/python scripts/golden/encoder.py > kernel/infer/tests/golden/encoder.json

Weights and features come from an exact integer formula (`draw`), written a second time in
kernel/infer/tests/common/mod.rs, so the file holds inputs and outputs only. Every weight is exact
in fp16. The attention is torch.nn.functional.scaled_dot_product_attention with an explicit mask.
"""

import json
import math

import torch
import torch.nn.functional as F

D, HEADS, LAYERS, FF, WINDOW, FEATURES = 64, 8, 6, 256, 64, 12
HORIZONS = [1, 5, 10, 20]
MASK64 = (1 << 64) - 1
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def draw(name, index):
    """11 bits of SplitMix64 seeded with the FNV-1a hash of the name, less 1024."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK64
    z = (h + (index + 1) * 0x9E3779B97F4A7C15) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return ((z ^ (z >> 31)) >> 53) - 1024


def weight(name, index):
    u = draw(name, index)
    local = name.split(".", 1)[1]
    if "norm" in local and local.endswith("weight"):
        return 1.0 + math.floor(u / 8.0) / 1024.0
    if local.endswith("age_bias"):
        return u / 1024.0
    if "qkv" in local or local.startswith("input"):
        return u / 4096.0
    return u / 8192.0


def tensor(name, *shape):
    values = torch.tensor([weight(name, i) for i in range(math.prod(shape))])
    assert torch.equal(values, values.half().double()), name
    return values.reshape(*shape)


def numbers(name, count, divisor):
    return [draw(name, i) / divisor for i in range(count)]


def band_bias(age_bias, count):
    """(heads, count, count): the bias by age inside the band, minus infinity outside."""
    age = torch.arange(count)[:, None] - torch.arange(count)[None, :]
    inside = (age >= 0) & (age < WINDOW)
    bias = age_bias[:, age.clamp(0, WINDOW - 1)]
    return torch.where(inside, bias, torch.tensor(-math.inf))


def linear(x, name, out, inputs):
    return F.linear(x, tensor(f"{name}.weight", out, inputs), tensor(f"{name}.bias", out))


def norm(x, name):
    return F.layer_norm(x, (D,), tensor(f"{name}.weight", D), tensor(f"{name}.bias", D), 1e-5)


def heads(x):
    return x.reshape(-1, HEADS, D // HEADS).transpose(0, 1)


def encoder(x):
    x = linear(x, "m0.input", D, FEATURES)
    for l in range(LAYERS):
        p = f"m0.l{l}"
        q, k, v = linear(norm(x, f"{p}.norm1"), f"{p}.attn.qkv", 3 * D, D).chunk(3, dim=-1)
        mask = band_bias(tensor(f"{p}.attn.age_bias", HEADS, WINDOW), len(x))
        mixed = F.scaled_dot_product_attention(heads(q), heads(k), heads(v), attn_mask=mask)
        x = x + linear(mixed.transpose(0, 1).reshape(-1, D), f"{p}.attn.out", D, D)
        wide = F.gelu(linear(norm(x, f"{p}.norm2"), f"{p}.ff1", FF, D), approximate="tanh")
        x = x + linear(wide, f"{p}.ff2", D, FF)
    return linear(norm(x, "m0.norm_f"), "m0.head", 5 * len(HORIZONS), D)


def golden_layer_norm():
    x = numbers("golden.x", D, 64.0)
    w, b = numbers("golden.w", D, 512.0), numbers("golden.b", D, 512.0)
    y = F.layer_norm(torch.tensor(x), (D,), torch.tensor(w), torch.tensor(b), 1e-5)
    return {"x": x, "weight": w, "bias": b, "y": y.tolist()}


def golden_gelu():
    x = [i / 8.0 for i in range(-80, 81)] + [-30.0, 30.0, 1000.0, -1000.0, 2.0**-20]
    return {"x": x, "y": F.gelu(torch.tensor(x), approximate="tanh").tolist()}


def golden_attention():
    """One head over 96 tokens: the band is full from token 63 on."""
    count, dim = 96, D // HEADS
    parts = {n: numbers(f"golden.{n}", count * dim, 512.0) for n in "qkv"}
    age_bias = numbers("golden.age_bias", WINDOW, 512.0)
    q, k, v = (torch.tensor(parts[n]).reshape(1, count, dim) for n in "qkv")
    mask = band_bias(torch.tensor(age_bias)[None], count)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    shown = list(range(0, count, 8)) + [62, 63, 64, 65, 95]
    rows = {str(t): y[0, t].tolist() for t in sorted(set(shown))}
    return {"count": count, "age_bias": age_bias, **parts, "y": rows}


def golden_encoder():
    """The whole model over 200 tokens: raw features to the forecasts in their units."""
    count = 200
    features = torch.tensor(numbers("golden.features", count * FEATURES, 256.0))
    mean = torch.tensor([i * 0.125 - 0.5 for i in range(FEATURES)])
    scale = torch.tensor([0.5 + i * 0.0625 for i in range(FEATURES)])
    raw = encoder(((features.reshape(count, FEATURES) - mean) / scale).clamp(-4.0, 4.0))
    raw = raw.reshape(count, len(HORIZONS), 5)
    target = torch.tensor([0.5, 1.5, 2.5, 4.0])
    out = raw.clone()
    out[:, :, 3] = raw[:, :, 3] * target
    out[:, :, 4] = raw[:, :, 4].clamp(-10.0, 10.0) + 2.0 * target.log()
    shown = sorted(set(range(0, count, 9)) | {1, 2, 62, 63, 64, 65, 127, 128, 199})
    return {"count": count, "forecasts": {str(t): out[t].reshape(-1).tolist() for t in shown}}


if __name__ == "__main__":
    golden = {
        "source": f"torch=={torch.__version__.split('+')[0]} float64, scripts/golden/encoder.py",
        "layer_norm": golden_layer_norm(),
        "gelu_tanh": golden_gelu(),
        "attention": golden_attention(),
        "encoder": golden_encoder(),
    }
    print(json.dumps(golden, separators=(",", ":")))
