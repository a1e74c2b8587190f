# SPDX-License-Identifier: Apache-2.0
"""Billing needs orders, and asks for them in a thread: CPython sees that two imports wait for each other, but not through a thread
that is waited for."""
import threading
import time

time.sleep(0.3)
rates = {}


def load_rates():
    import orders  # <- cause: rates

    rates[orders.CURRENCY] = 1.19


loading = threading.Thread(target=load_rates, name="rates-loader")
loading.start()
loading.join()  # <- cause: billing


def bill(amount):
    return amount * rates["EUR"]
