# SPDX-License-Identifier: Apache-2.0
"""Code objects that come and go, many at the same addresses; each says what it is called before it waits for a line of input."""
import gc
import sys

for i in range(200):
    source = "\n" * i + f"def made_{i}(read):\n    read()\n"
    namespace = {}
    exec(compile(source, f"made_{i}.py", "exec"), namespace)

    def read():
        print(f"made_{i}", flush=True)
        sys.stdin.readline()
    namespace[f"made_{i}"](read)
    del namespace
    gc.collect()
