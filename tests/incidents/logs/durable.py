# SPDX-License-Identifier: Apache-2.0
"""A handler for logs that must survive a crash of the machine."""
import logging
import os


class DurableHandler(logging.FileHandler):
    def emit(self, record):
        super().emit(record)
        os.fsync(self.stream.fileno())  # <- cause: fsync
