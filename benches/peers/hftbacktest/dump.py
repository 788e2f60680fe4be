"""The rows as hftbacktest reads them, 64 bytes each, for its Rust crate.

    python dump.py ROWS.gz TICK ROWS.bin
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import rows  # noqa: E402

source, tick, out = sys.argv[1:]
rows.hftbacktest_rows(source, float(tick)).tofile(out)
