# SPDX-License-Identifier: Apache-2.0
"""Enters its articles, and for each its supplier."""
import time

import registry

with registry.articles_lock:
    registry.articles["chair"] = 1
    time.sleep(0.3)
    with registry.suppliers_lock:  # <- cause: stock
        registry.suppliers.setdefault("carpenter", 1)
