"""OpenVINO on one thread: the window anew for each token, in f32 and in the bf16 it offers.

    python vino.py MODEL_DIR
"""

import sys
from pathlib import Path

import numpy as np
import openvino as ov

sys.path.insert(0, str(Path(__file__).parent.parent))
import worker  # noqa: E402

folder = Path(sys.argv[1])
scaled = np.load(folder / "model.npz")["scaled"]
windows = [scaled[i : i + worker.WINDOW].copy() for i in range(0, len(scaled), worker.WINDOW)]


class Window:
    def __init__(self, precision):
        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        if precision == "f32":
            # 2026.4.1 ends with a segmentation fault while it compiles this graph otherwise; the
            # whole last layer instead of its last token compiles, and is slower (813 to 778 us).
            settings["SNIPPETS_MODE"] = "DISABLE"
        core = ov.Core()
        compiled = core.compile_model(core.read_model(folder / "window.onnx"), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.tensors = [ov.Tensor(w, shared_memory=True) for w in windows]

    def run(self, count):
        for i in range(count):
            self.request.set_input_tensor(self.tensors[i % len(self.tensors)])
            self.request.infer()

    def check(self):
        rows = []
        for tensor in self.tensors:
            self.request.set_input_tensor(tensor)
            self.request.infer()
            rows.append(self.request.get_output_tensor().data[0].copy())
        return np.array(rows)


ways = {"window": Window("f32"), "window bf16": Window("bf16")}
ways = {name.replace(" ", "_"): way for name, way in ways.items()}
worker.serve(
    ov.__version__.split("-")[0],
    {name: way.run for name, way in ways.items()},
    lambda: {name: way.check() for name, way in ways.items()},
)
