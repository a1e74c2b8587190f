# SPDX-License-Identifier: Apache-2.0
"""Enters its suppliers, and for each its articles: the locks in the order in which everybody takes them."""
import time

import registry

with registry.articles_lock:
    with registry.suppliers_lock:  # <- cause: prices
        registry.suppliers["carpenter"] = 1
        time.sleep(0.3)
        registry.articles.setdefault("chair", 1)
