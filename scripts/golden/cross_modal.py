"""Golden values of the cross-modal attention from PyTorch in float64.

torch==2.15.0 numpy==2.4.6 (Python 3.11)

    python3 -m venv .venv && .venv/bin/pip install torch==2.15.0 numpy==2.4.6
    .venv/bin/python scripts/golden/cross_modal.py > models/tests/golden/cross_modal.json

Every number is drawn by the integer formula of encoder.py beside this file. The attention is
torch.nn.functional.scaled_dot_product_attention with one query a token, one key and value a slot,
and an additive mask: minus infinity where a slot is missing.
"""

import json
import math

import torch
import torch.nn.functional as F
from encoder import draw

D, HEADS, TOKENS = 64, 8, 12
WIDTHS = [4, 7, 3]
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def tensor(name, *shape, divisor=4096.0):
    values = [draw(name, i) / divisor for i in range(math.prod(shape))]
    return torch.tensor(values).reshape(*shape)


def known(token, slot):
    """Slot 1 is missing at every third token; tokens 5 and 6 know nothing; slot 2 is early."""
    if token in (5, 6):
        return False
    return not ((slot == 1 and token % 3 == 0) or (slot == 2 and token > 8))


def main():
    stream = tensor("slot.stream", TOKENS, D, divisor=512.0)
    gamma = 1.0 + tensor("slot.norm.weight", D, divisor=8192.0)
    normed = F.layer_norm(stream, (D,), gamma, tensor("slot.norm.bias", D), 1e-5)
    heads = lambda x: x.reshape(TOKENS, HEADS, D // HEADS)
    query = heads(F.linear(normed, tensor("slot.query.weight", D, D), tensor("slot.query.bias", D)))
    keys, values, masks = [], [], []
    for s, width in enumerate(WIDTHS):
        vector = tensor(f"slot.{s}.vector", TOKENS, width, divisor=512.0)
        age = tensor(f"slot.{s}.age", TOKENS, divisor=16.0).abs()
        linear = lambda n: F.linear(
            vector, tensor(f"slot.{s}.{n}.weight", D, width, divisor=1024.0),
            tensor(f"slot.{s}.{n}.bias", D))
        keys.append(heads(linear("key")))
        values.append(heads(linear("value")))
        fading = F.softplus(tensor(f"slot.{s}.fading", HEADS, divisor=1024.0))
        mask = tensor(f"slot.{s}.bias", HEADS, divisor=1024.0) - fading * torch.log1p(age)[:, None]
        there = torch.tensor([known(t, s) for t in range(TOKENS)])[:, None]
        masks.append(torch.where(there, mask, torch.tensor(-math.inf)))
    key, value = torch.stack(keys, 2), torch.stack(values, 2)  # (token, head, slot, dim)
    mask = torch.stack(masks, 2)[:, :, None]  # (token, head, 1, slot)
    mixed = F.scaled_dot_product_attention(query[:, :, None], key, value, attn_mask=mask)
    mixed = mixed.reshape(TOKENS, D)
    out = F.linear(mixed, tensor("slot.output.weight", D, D), tensor("slot.output.bias", D))
    silent = torch.tensor([not any(known(t, s) for s in range(3)) for t in range(TOKENS)])
    result = torch.where(silent[:, None], stream, stream + out)
    score = (query[:, :, None] @ key.transpose(-1, -2)) / math.sqrt(D // HEADS) + mask
    weights = torch.nan_to_num(torch.softmax(score, -1)).squeeze(2)
    print(json.dumps({
        "source": f"torch=={torch.__version__.split('+')[0]} float64, scripts/golden/cross_modal.py",
        "stream": result.tolist(),
        "weights": weights.tolist(),
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
