# SPDX-License-Identifier: Apache-2.0
"""A file system that stops answering, as that of a dead NFS server does: whoever asks it for something sleeps, beyond SIGKILL once it has
the request in hand. A FUSE server that shows the backing folder, and that does not return from the operations that the file HANG names, as
long as that file is there. Nothing is kept in the kernel's cache.

Usage: silent_disk.py MOUNTPOINT -f -o backing=FOLDER,hang=FILE[,allow_other]
"""
import os
import time

import fuse

fuse.fuse_python_api = (0, 2)


class SilentDisk(fuse.Fuse):
    """Paths as they are below the backing folder."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.backing = ""
        self.hang = ""

    def below(self, operation, path):
        """Where the file is, as soon as the operation may go on."""
        while True:
            try:
                with open(self.hang, encoding="utf-8") as file:
                    if operation not in file.read().split():
                        break
            except OSError:
                break
            time.sleep(0.02)
        return self.backing + path

    def getattr(self, path):
        return os.lstat(self.below("getattr", path))

    def readlink(self, path):
        return os.readlink(self.below("readlink", path))

    def readdir(self, path, _offset):
        for name in (".", "..", *os.listdir(self.below("readdir", path))):
            yield fuse.Direntry(name)

    def open(self, path, flags):
        os.close(os.open(self.below("open", path), flags))

    def read(self, path, size, offset):
        with open(self.below("read", path), "rb") as file:
            file.seek(offset)
            return file.read(size)


def main():
    disk = SilentDisk(version="silent_disk", usage=__doc__)
    disk.multithreaded = True
    disk.parser.add_option(mountopt="backing", metavar="FOLDER", help="what it shows")
    disk.parser.add_option(mountopt="hang", metavar="FILE", help="names the operations that do not return")
    disk.parse(values=disk, errex=1)
    disk.main()


if __name__ == "__main__":
    main()
