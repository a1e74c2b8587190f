# SPDX-License-Identifier: Apache-2.0
"""Ships what comes out of a pipe to a collector, and waits when the collector does not take it.

Usage: shipper.py FIFO COLLECTOR-PORT
"""
import socket
import sys


def main():
    with open("/proc/self/comm", "w") as comm:
        comm.write("log-shipper")
    with open(sys.argv[1], "rb", buffering=0) as lines, socket.socket() as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        collector.connect(("127.0.0.1", int(sys.argv[2])))
        while chunk := lines.read(4096):
            collector.sendall(chunk)  # <- cause: shipper


if __name__ == "__main__":
    main()
