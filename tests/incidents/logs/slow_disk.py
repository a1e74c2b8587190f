# SPDX-License-Identifier: Apache-2.0
"""A file system whose disk stalls: every fsync() and every read() takes its time. FUSE, for this kernel lets nobody slow a real one.

Usage: slow_disk.py MOUNTPOINT BACKING-FOLDER fsync_s=SECONDS,read_s=SECONDS [-f]
"""
import errno
import os
import time

import fuse

fuse.fuse_python_api = (0, 2)


class SlowDisk(fuse.Fuse):
    """Paths as they are below the backing folder."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.backing = ""
        self.fsync_s = 0.0
        self.read_s = 0.0

    def below(self, path):
        return self.backing + path

    def getattr(self, path):
        return os.lstat(self.below(path))

    def readdir(self, path, _offset):
        for name in (".", "..", *os.listdir(self.below(path))):
            yield fuse.Direntry(name)

    def open(self, path, flags):
        os.close(os.open(self.below(path), flags))

    def create(self, path, flags, mode):
        os.close(os.open(self.below(path), flags | os.O_CREAT, mode))

    def read(self, path, size, offset):
        time.sleep(self.read_s)
        with open(self.below(path), "rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, path, data, offset):
        with open(self.below(path), "r+b") as file:
            file.seek(offset)
            return file.write(data)

    def truncate(self, path, size):
        os.truncate(self.below(path), size)

    def unlink(self, path):
        os.unlink(self.below(path))

    def fsync(self, _path, _only_data):
        time.sleep(self.fsync_s)

    def flush(self, _path):
        return 0

    def release(self, _path, _flags):
        return 0

    def getxattr(self, _path, _name, _size):
        return -errno.EOPNOTSUPP


def main():
    disk = SlowDisk(version="slow_disk", usage=__doc__)
    disk.multithreaded = True
    disk.parser.add_option(mountopt="backing", metavar="FOLDER", help="what it shows")
    disk.parser.add_option(mountopt="fsync_s", metavar="SECONDS", help="how long fsync() takes")
    disk.parser.add_option(mountopt="read_s", metavar="SECONDS", help="how long read() takes")
    disk.parse(values=disk, errex=1)
    disk.fsync_s = float(disk.fsync_s)
    disk.read_s = float(disk.read_s)
    disk.main()


if __name__ == "__main__":
    main()
