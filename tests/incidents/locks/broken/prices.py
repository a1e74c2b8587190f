# SPDX-License-Identifier: Apache-2.0
"""Enters its suppliers, and for each its articles: the same locks the other way round."""
import time

import registry

with registry.suppliers_lock:
    registry.suppliers["carpenter"] = 1
    time.sleep(0.3)
    with registry.articles_lock:  # <- cause: prices
        registry.articles.setdefault("chair", 1)
