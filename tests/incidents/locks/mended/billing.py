# SPDX-License-Identifier: Apache-2.0
"""Billing loads its rates in a thread that needs nothing of those who wait for it."""
import threading
import time

time.sleep(0.3)
rates = {}


def load_rates():
    import tax  # <- cause: rates

    rates[tax.CURRENCY] = 1.19


loading = threading.Thread(target=load_rates, name="rates-loader")
loading.start()
loading.join()  # <- cause: billing


def bill(amount):
    return amount * rates["EUR"]
