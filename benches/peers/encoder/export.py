"""The encoder of a weights file as ONNX graphs, and tokens to run through it.

    python export.py WEIGHTS.safetensors OUT_DIR

Writes, for member 0, `window.onnx` (64 tokens in, the forecast of the last out, the last layer for
the last token only), `step.onnx` (one token, the past keys and values given and returned) and
`ring.onnx` (one token, keys and values in a ring that the caller keeps), and `model.npz` with the
same weights, tokens and rotated biases. Weights are the file's own, widened to f32.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

D, HEADS, DIM, LAYERS, WINDOW, FEATURES, OUTPUTS = 64, 8, 8, 6, 64, 12, 20
TOKENS = 4 * WINDOW
FAR = np.float32(-1e9)


def read(path):
    """Tensors of member 0 by local name as f32, and the metadata."""
    blob = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + length])
    meta = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        if name.startswith("m0."):
            begin, end = (8 + length + at for at in entry["data_offsets"])
            values = np.frombuffer(blob[begin:end], np.float16).astype(np.float32)
            tensors[name[3:]] = values.reshape(entry["shape"])
    return tensors, meta


class Graph:
    """An ONNX graph in the making."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.count = weights, [], {}, 0

    def op(self, kind, *inputs, outputs=1, **attributes):
        """Adds a node; arrays among its inputs become constants."""
        names = [self.constant(i) if isinstance(i, np.ndarray) else i for i in inputs]
        out = [f"t{self.count + i}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(kind, names, out, **attributes))
        return out[0] if outputs == 1 else out

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def linear(self, x, name):
        w, b = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return self.op("Add", self.op("MatMul", x, w.T), b)

    def norm(self, x, name):
        w, b = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return self.op("LayerNormalization", x, w, b, axis=-1, epsilon=1e-5)

    def qkv(self, h, layer):
        """Query, key and value by head, (1, 8, tokens, 8); the query already over sqrt(8)."""
        w = self.weights[f"l{layer}.attn.qkv.weight"].copy()
        b = self.weights[f"l{layer}.attn.qkv.bias"].copy()
        w[:D] /= np.sqrt(np.float32(DIM))
        b[:D] /= np.sqrt(np.float32(DIM))
        all_three = self.op("Add", self.op("MatMul", h, w.T), b)
        by_head = self.op("Reshape", all_three, np.array([-1, 3, HEADS, DIM]))
        parts = self.op("Transpose", by_head, perm=[1, 2, 0, 3])
        return self.op("Split", parts, outputs=3, num_outputs=3, axis=0)

    def join(self, mixed):
        """(1, 8, tokens, 8) to (tokens, 64)."""
        by_token = self.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.op("Reshape", by_token, np.array([-1, D]))

    def rest(self, x, mixed, layer):
        """What follows attention in a block."""
        x = self.op("Add", x, self.linear(self.join(mixed), f"l{layer}.attn.out"))
        wide = self.linear(self.norm(x, f"l{layer}.norm2"), f"l{layer}.ff1")
        wide = self.op("Gelu", wide, approximate="tanh")
        return self.op("Add", x, self.linear(wide, f"l{layer}.ff2"))

    def save(self, path, inputs, outputs):
        """Writes the graph; `inputs` shapes by name, `outputs` (value, name, shape)."""
        for value, name, _ in outputs:
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, path.stem,
            [info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [info(n, TensorProto.FLOAT, s) for _, n, s in outputs],
            list(self.constants.values()),
        )
        opset = [helper.make_opsetid("", 20)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def window(weights, path):
    g = Graph(weights)
    x = g.linear("x", "input")
    age = np.arange(WINDOW)[:, None] - np.arange(WINDOW)[None, :]
    for layer in range(LAYERS):
        bias = weights[f"l{layer}.attn.age_bias"][:, np.clip(age, 0, WINDOW - 1)]
        bias = np.where(age >= 0, bias, FAR).astype(np.float32)[None]
        q, k, v = g.qkv(g.norm(x, f"l{layer}.norm1"), layer)
        if layer == LAYERS - 1:
            last = [np.array([WINDOW - 1]), np.array([WINDOW])]
            q, bias = g.op("Slice", q, *last, np.array([2])), bias[:, :, -1:]
            x = g.op("Slice", x, *last, np.array([0]))
        scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        rows = g.op("Softmax", g.op("Add", scores, bias), axis=-1)
        x = g.rest(x, g.op("MatMul", rows, v), layer)
    y = g.linear(g.norm(x, "norm_f"), "head")
    g.save(path, {"x": [WINDOW, FEATURES]}, [(y, "y", [1, OUTPUTS])])


def step(weights, path):
    """Past keys and values of 63 tokens in, those of the newest 63 out."""
    g = Graph(weights)
    x = g.linear("x", "input")
    inputs, outputs, past = {"x": [1, FEATURES]}, [], [1, HEADS, WINDOW - 1, DIM]
    # The oldest first: age 63 to 0.
    for layer in range(LAYERS):
        bias = weights[f"l{layer}.attn.age_bias"][None, :, None, ::-1]
        q, k, v = g.qkv(g.norm(x, f"l{layer}.norm1"), layer)
        for name in "kv":
            inputs[f"{name}{layer}"] = past
        k = g.op("Concat", f"k{layer}", k, axis=2)
        v = g.op("Concat", f"v{layer}", v, axis=2)
        for name, all_ in (("k", k), ("v", v)):
            newest = g.op("Slice", all_, np.array([1]), np.array([WINDOW]), np.array([2]))
            outputs.append((newest, f"{name}{layer}_out", past))
        scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        # What was not yet seen is zeros: `seen` is 0 for it and keeps it out.
        scores = g.op("Add", g.op("Add", scores, bias), "seen")
        x = g.rest(x, g.op("MatMul", g.op("Softmax", scores, axis=-1), v), layer)
    inputs["seen"] = [1, 1, 1, WINDOW]
    y = g.linear(g.norm(x, "norm_f"), "head")
    g.save(path, inputs, [(y, "y", [1, OUTPUTS])] + outputs)


def ring(weights, path):
    """Keys (1, 8, 8, 64) and values (1, 8, 64, 8) by slot; the newest token's own are returned."""
    g = Graph(weights)
    x = g.linear("x", "input")
    inputs, ks, vs = {"x": [1, FEATURES]}, [], []
    for layer in range(LAYERS):
        own = weights[f"l{layer}.attn.age_bias"][None, :, None, :1]
        q, k, v = g.qkv(g.norm(x, f"l{layer}.norm1"), layer)
        ks.append(k), vs.append(v)
        inputs |= {f"k{layer}": [1, HEADS, DIM, WINDOW],
                   f"v{layer}": [1, HEADS, WINDOW, DIM],
                   f"b{layer}": [1, HEADS, 1, WINDOW]}
        old = g.op("Add", g.op("MatMul", q, f"k{layer}"), f"b{layer}")
        new = g.op("ReduceSum", g.op("Mul", q, k), np.array([3]), keepdims=1)
        scores = g.op("Concat", old, g.op("Add", new, own), axis=3)
        rows = g.op("Softmax", scores, axis=-1)
        old, new = g.op("Split", rows, np.array([WINDOW, 1]), outputs=2, axis=3)
        mixed = g.op("Add", g.op("MatMul", old, f"v{layer}"), g.op("Mul", new, v))
        x = g.rest(x, mixed, layer)
    y = g.linear(g.norm(x, "norm_f"), "head")
    new = [(g.op("Concat", *ks, axis=0), "k", [LAYERS, HEADS, 1, DIM]),
           (g.op("Concat", *vs, axis=0), "v", [LAYERS, HEADS, 1, DIM])]
    g.save(path, inputs, [(y, "y", [1, OUTPUTS])] + new)


def rotated(weights):
    """(position, layer, head, slot): the bias by slot for each of the first 128 tokens, far
    below all others where a slot is its own or not yet written. From 64 on it repeats."""
    position, slot = np.arange(2 * WINDOW)[:, None], np.arange(WINDOW)[None, :]
    age = (position - slot) % WINDOW
    open_ = (age > 0) & (age <= position)
    table = [weights[f"l{l}.attn.age_bias"][:, age] for l in range(LAYERS)]
    return np.where(open_[:, None, None], np.array(table).transpose(2, 0, 1, 3), FAR)


def main(path, out):
    out.mkdir(parents=True, exist_ok=True)
    weights, meta = read(path)
    for make in (window, step, ring):
        make(weights, out / f"{make.__name__}.onnx")
    mean, scale = (np.array(json.loads(meta[k])) for k in ("scaler_mean", "scaler_scale"))
    clip = float(json.loads(meta["scaler_clip"]))
    drawn = np.random.default_rng(1).normal(size=(TOKENS, FEATURES))
    raw = mean + scale * drawn
    scaled = np.clip((raw - mean) / scale, -clip, clip).astype(np.float32)
    target = np.array(json.loads(meta["target_scale_bps"]), np.float64)
    np.savez(out / "model.npz", scaled=scaled, target=target,
             rotated=rotated(weights).astype(np.float32), **weights)
    (out / "window.bin").write_bytes(scaled.tobytes())
    (out / "tokens.json").write_text(json.dumps(raw.tolist()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
