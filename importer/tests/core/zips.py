"""Zip archives, good and hostile ones, made on the spot."""

import io
import struct
import warnings
import zipfile


def zipped(members, *, method=zipfile.ZIP_DEFLATED):
    """Bytes of an archive; members as a mapping or, where names come twice, as pairs. Names may be ZipInfos."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, data)
    return out.getvalue()


def encrypted(data):
    """As if the first member's content were encrypted."""
    return _flagged(data, 8, 0x1)


def _flagged(data, place, flag):
    changed = bytearray(data)
    changed[data.index(b"PK\1\2") + place] |= flag
    return bytes(changed)


def claiming(data, size):
    """The first member's uncompressed size as the directory gives it."""
    changed = bytearray(data)
    struct.pack_into("<L", changed, data.index(b"PK\1\2") + 24, size)
    return bytes(changed)


def spoiled(data, content):
    """A byte of this content is another one."""
    return data.replace(content, content[:-1] + bytes([content[-1] ^ 1]), 1)


def overlapping(members=50):
    """Every member of the directory is the same bytes."""
    data = zipped({"a": bytes(100_000)})
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = bytearray(data[start:end])
    directory = b""
    for number in range(members):
        entry[46:47] = b"%c" % (65 + number)
        directory += bytes(entry)
    tail = bytearray(data[end:])
    struct.pack_into("<HHLL", tail, 8, members, members, len(directory), start)
    return data[:start] + directory + bytes(tail)


def linking(target):
    """A member that is a link."""
    info = zipfile.ZipInfo("link.dcm")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return zipped([(info, target)])
