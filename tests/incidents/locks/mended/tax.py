# SPDX-License-Identifier: Apache-2.0
"""What billing wanted of orders, in a module of its own: nothing is imported in a circle any more."""
CURRENCY = "EUR"
