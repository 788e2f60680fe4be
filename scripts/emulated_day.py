"""A real day through the device's kernel, emulated by the C compiler: where would it decide
otherwise than the processor?

    ijk features lobster:GOOG.zip --out f.parquet; ijk forecast lobster:GOOG.zip --out p.parquet
    cargo test --release -p ijk-infer --test emulation   # leaves target/tmp/step-1
    python3 scripts/emulated_day.py target/tmp/step-1 f.parquet p.parquet WEIGHTS.safetensors

numpy, pyarrow. Packs weights and tokens by the formulas of kernel/infer/src/cuda/layout.rs and
wire.rs, written a second time. Compares pooled class, sign of the pooled mean, and the common rule
of docs/models.md (p(up) - p(down) beyond 0.2) at every token and horizon.
"""

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as parquet

from forecast_difference import differences, pooled

FEATURES = (
    "ret_bps spread_bps micro imb1 imb5 ofi1 ofi5 trade_imb trade_log rv_bps gap_log vwap_dev_bps"
).split()
WINDOW, LAYERS, ROW, ALIGN = 64, 6, 32, 128


def load(path):
    raw = open(path, "rb").read()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    data = raw[8 + size :]
    meta = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], np.float16)
        tensors[name] = values.reshape(entry["shape"])
    return meta, tensors


def packed(matrix, out_padded):
    """(out, in) as (in / 8, out, 8), padded with zeros."""
    out, inputs = matrix.shape
    padded = np.zeros((out_padded, -(-inputs // 8) * 8), np.float16)
    padded[:out, :inputs] = matrix
    return padded.reshape(out_padded, -1, 8).transpose(1, 0, 2).ravel()


def member(tensors, m):
    get = lambda name: tensors[f"m{m}.{name}"]
    parts = [packed(get("input.weight"), 64), get("input.bias")]
    for l in range(LAYERS):
        for name, out in (
            ("norm1.weight", 0), ("norm1.bias", 0), ("attn.qkv.weight", 192),
            ("attn.qkv.bias", 0), ("attn.age_bias", 0), ("attn.out.weight", 64),
            ("attn.out.bias", 0), ("norm2.weight", 0), ("norm2.bias", 0), ("ff1.weight", 256),
            ("ff1.bias", 0), ("ff2.weight", 64), ("ff2.bias", 0),
        ):
            tensor = get(f"l{l}.{name}")
            parts.append(packed(tensor, out) if out else tensor.ravel())
    parts += [get("norm_f.weight"), get("norm_f.bias"), packed(get("head.weight"), ROW)]
    parts.append(np.pad(get("head.bias"), (0, ROW - len(get("head.bias")))))
    whole = np.concatenate(parts)
    return np.pad(whole, (0, -len(whole) % ALIGN))


def emulated(program, meta, tensors, features):
    members = json.loads(meta["shape"])["members"]
    mean, scale = (np.array(json.loads(meta[f"scaler_{k}"])) for k in ("mean", "scale"))
    clip = float(meta["scaler_clip"])
    scaled = np.clip((features - mean) / scale, -clip, clip).astype(np.float32)
    count = len(scaled)
    steps = np.zeros((count, 17), np.uint32)  # number of entries, then the entry
    steps[:, 0] = 1
    position = np.arange(count)
    steps[:, 2], steps[:, 3] = position % WINDOW, np.minimum(position + 1, WINDOW)
    steps[:, 5:] = scaled.view(np.uint32)
    head = np.array([1, members, count, 0], np.uint32)
    weights = np.concatenate([member(tensors, m) for m in range(members)])
    blob = head.tobytes() + weights.tobytes() + steps.tobytes()
    out = subprocess.run([program], input=blob, stdout=subprocess.PIPE, check=True).stdout
    rows = np.frombuffer(out, np.float32).reshape(count, members, ROW)[:, :, :20]
    return rows.reshape(count, members, 4, 5).astype(np.float64)


def main():
    program, features, forecast, weights = sys.argv[1:]
    meta, tensors = load(weights)
    table = parquet.read_table(features)
    matrix = np.stack([table[name].to_numpy() for name in FEATURES], 1)
    theirs = parquet.read_table(forecast)
    ours = emulated(program, meta, tensors, matrix)
    scale = np.array(json.loads(meta["target_scale_bps"]))
    exps = np.exp(ours[..., :3] - ours[..., :3].max(-1, keepdims=True))
    ours_p = (exps / exps.sum(-1, keepdims=True)).mean(1)  # (token, horizon, class)
    ours_mean = ours[..., 3].mean(1) * scale
    print(f"{len(matrix)} tokens, {ours.shape[1]} members")
    theirs_p, theirs_mean = pooled(theirs)
    differences(theirs_p, theirs_mean, ours_p, ours_mean)


if __name__ == "__main__":
    main()
