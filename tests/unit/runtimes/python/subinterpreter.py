# SPDX-License-Identifier: Apache-2.0
"""A thread that runs code in a sub-interpreter."""
import threading
import time

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

there = interpreters.create()
code = "import time\ndef inside():\n    print('ready', flush=True)\n    time.sleep(100_000)\ninside()\n"
threading.Thread(target=interpreters.run_string, args=(there, code), daemon=True).start()
time.sleep(100_000)
