"""Which file systems tell the kernel of every change: only there do events help."""

import os

# On a share another host's writes are never reported, and for others (fuse, 9p) nobody promises it.
_TELLING = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs"}
    | {"vfat", "xfs", "zfs"}
)


def tells_of_changes(path: bytes) -> bool:
    """True when the file system that holds `path` is known to be local."""
    return kind_of(path) in _TELLING


def kind_of(path: bytes) -> str:
    """The kind of the mounted file system, as the kernel names it; empty where that cannot be found out."""
    try:
        wanted = os.lstat(path).st_dev
        with open("/proc/self/mountinfo", "rb") as mounts:
            kinds = dict(_device_and_kind(line) for line in mounts)
    except OSError:
        return ""
    return kinds.get(wanted) or _by_prefix(path)


def _device_and_kind(line: bytes) -> tuple[int, str]:
    """`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw` (proc(5), mountinfo)."""
    before, _, after = line.partition(b" - ")
    major, _, minor = before.split()[2].partition(b":")
    return os.makedev(int(major), int(minor)), after.split()[0].decode()


def _by_prefix(path: bytes) -> str:
    """For file systems whose files show another device than their mount (btrfs, overlay)."""
    best, kind = b"", ""
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            point = line.split()[4].decode("unicode_escape").encode("latin-1")
            if (path + b"/").startswith(point.rstrip(b"/") + b"/") and len(point) >= len(best):
                best, kind = point, _device_and_kind(line)[1]
    return kind
