# SPDX-License-Identifier: Apache-2.0
"""Two tables that modules enter themselves into when they are loaded, and the locks of these."""
import threading

articles, suppliers = {}, {}
articles_lock, suppliers_lock = threading.RLock(), threading.RLock()
