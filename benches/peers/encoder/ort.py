"""ONNX Runtime on one thread: the window anew for each token, and one token with cached keys and
values, given and returned (`step`) or in a ring that stays in place (`ring`).

    python ort.py MODEL_DIR
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).parent.parent))
import worker  # noqa: E402

folder = Path(sys.argv[1])
model = np.load(folder / "model.npz")
scaled, rotated = model["scaled"], model["rotated"]
LAYERS, HEADS, DIM, WINDOW = 6, 8, 8, worker.WINDOW


def session(name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(folder / f"{name}.onnx", options, ["CPUExecutionProvider"])


def bind(binding, way, name, array):
    """Binds an array in place, nothing is copied."""
    assert array.flags.c_contiguous and array.dtype == np.float32
    call = binding.bind_input if way == "in" else binding.bind_output
    call(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)


class Window:
    def __init__(self):
        self.session = session("window")
        self.y = np.zeros((1, 20), np.float32)
        self.bindings = []
        self.x = [scaled[i : i + WINDOW].copy() for i in range(0, len(scaled), WINDOW)]
        for x in self.x:
            binding = self.session.io_binding()
            bind(binding, "in", "x", x)
            bind(binding, "out", "y", self.y)
            self.bindings.append(binding)

    def run(self, count):
        for i in range(count):
            self.session.run_with_iobinding(self.bindings[i % len(self.bindings)])

    def check(self):
        rows = []
        for binding in self.bindings:
            self.session.run_with_iobinding(binding)
            rows.append(self.y[0].copy())
        return np.array(rows)


class Step:
    """Keys and values go from one of two sets of buffers into the other."""

    def __init__(self):
        self.session = session("step")
        self.x = np.zeros((1, 12), np.float32)
        self.y = np.zeros((1, 20), np.float32)
        self.seen = np.zeros((1, 1, 1, WINDOW), np.float32)
        shape = (2, 2, LAYERS, 1, HEADS, WINDOW - 1, DIM)
        self.sets = np.zeros(shape, np.float32)
        self.bindings = []
        for i in (0, 1):
            binding = self.session.io_binding()
            bind(binding, "in", "x", self.x)
            bind(binding, "in", "seen", self.seen)
            bind(binding, "out", "y", self.y)
            for layer in range(LAYERS):
                for part, name in enumerate("kv"):
                    bind(binding, "in", f"{name}{layer}", self.sets[i, part, layer])
                    bind(binding, "out", f"{name}{layer}_out", self.sets[1 - i, part, layer])
            self.bindings.append(binding)

    def run(self, count):
        self.seen[:] = 0.0
        for i in range(count):
            self.x[0] = scaled[i % len(scaled)]
            self.session.run_with_iobinding(self.bindings[i & 1])

    def check(self):
        self.sets[:] = 0.0
        rows = []
        for i, x in enumerate(scaled):
            self.x[0] = x
            self.seen[:] = np.where(np.arange(WINDOW) >= WINDOW - 1 - i, 0.0, -1e9)
            self.session.run_with_iobinding(self.bindings[i & 1])
            rows.append(self.y[0].copy())
        return np.array(rows)


class Ring:
    """Only the newest keys and values leave the graph; two assignments put them in their slot."""

    def __init__(self):
        self.session = session("ring")
        self.x = np.zeros((1, 12), np.float32)
        self.y = np.zeros((1, 20), np.float32)
        self.keys = np.zeros((LAYERS, 1, HEADS, DIM, WINDOW), np.float32)
        self.values = np.zeros((LAYERS, 1, HEADS, WINDOW, DIM), np.float32)
        self.new = np.zeros((2, LAYERS, HEADS, 1, DIM), np.float32)
        self.bias = np.ascontiguousarray(rotated.reshape(-1, LAYERS, 1, HEADS, 1, WINDOW))
        self.bindings = []
        for bias in self.bias:
            binding = self.session.io_binding()
            bind(binding, "in", "x", self.x)
            bind(binding, "out", "y", self.y)
            bind(binding, "out", "k", self.new[0])
            bind(binding, "out", "v", self.new[1])
            for layer in range(LAYERS):
                bind(binding, "in", f"k{layer}", self.keys[layer])
                bind(binding, "in", f"v{layer}", self.values[layer])
                bind(binding, "in", f"b{layer}", bias[layer])
            self.bindings.append(binding)

    def token(self, position, x):
        slot = position % WINDOW
        self.x[0] = x
        self.session.run_with_iobinding(self.bindings[min(position, WINDOW + slot)])
        self.keys[:, 0, :, :, slot] = self.new[0, :, :, 0]
        self.values[:, 0, :, slot] = self.new[1, :, :, 0]

    def run(self, count):
        for i in range(count):
            self.token(WINDOW + i, scaled[i % len(scaled)])

    def check(self):
        rows = []
        for i, x in enumerate(scaled):
            self.token(i, x)
            rows.append(self.y[0].copy())
        return np.array(rows)


ways = {"window": Window(), "step": Step(), "ring": Ring()}
worker.serve(
    ort.__version__,
    {name: way.run for name, way in ways.items()},
    lambda: {name: way.check() for name, way in ways.items()},
)
