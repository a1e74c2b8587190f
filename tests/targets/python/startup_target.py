# SPDX-License-Identifier: Apache-2.0
"""A server that never comes to its loop: at its import it reads its settings from a FIFO (argv[1]) that nobody writes to."""

import asyncio
import sys

from truth import say


def load_settings():
    with open(sys.argv[1], encoding="ascii") as settings:  # <- blocks
        return settings.read()


say("frozen")
SETTINGS = load_settings()
asyncio.run(asyncio.sleep(1))
