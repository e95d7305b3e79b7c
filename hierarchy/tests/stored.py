"""Stored files for tests and screenshots: real DICOM of pydicom's package, published through a place, with its rows."""

import hashlib
import json
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from hierarchy.models import FileVersion, Manifest
from hierarchy.tests.factories import NOW, make_acquisition, make_file, make_version
from storages.places import archive
from storages.tests.rows import make_provider, make_storage


def shipped(name):
    """The bytes of a DICOM file that comes with pydicom."""
    return Path(get_testdata_file(name)).read_bytes()


def series(folder):
    """The bytes of every instance in a folder that comes with pydicom, in name order."""
    return [
        path.read_bytes()
        for path in sorted(Path(get_testdata_file("dicomdirtests/DICOMDIR")).parent.glob(f"{folder}/*"))
    ]


def packed(instances, *, compression=zipfile.ZIP_STORED):
    """A zip archive of instances named `<SOPInstanceUID>.<Modality>.dcm`, and its manifest's lines."""
    members = {}
    for content in instances:
        head = dcmread(BytesIO(content), stop_before_pixels=True)
        members[f"{head.SOPInstanceUID}.{head.get('Modality', 'NA')}.dcm"] = content
    out = BytesIO()
    with zipfile.ZipFile(out, "w", compression) as opened:
        for name in sorted(members):
            opened.writestr(zipfile.ZipInfo(name), members[name], compress_type=compression)
    lines = [[n, len(members[n]), hashlib.sha256(members[n]).hexdigest(), f"in/{n}"] for n in sorted(members)]
    return out.getvalue(), lines


def store(path, content):
    """Bytes at a path of the archive."""
    staged = archive().stage(path)
    staged.stream.write(content)
    archive().publish([staged])
    return len(content)


def store_file(content, *, name="scan.dcm", file=None, number=1, lines=None, **changes):
    """A file's version with its bytes; with `lines` it is an archive with a manifest."""
    file = file or make_file(
        name=name, type="dicom", acquisition=changes.pop("acquisition", None) or make_acquisition()
    )
    version = make_version(
        file=file,
        number=number,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        digest_of="manifest" if lines else "content",
        members=len(lines or [1]),
        path=f"lab/Brain/{file.pk}/v{number}/{name}",
        **({"created_at": NOW, "source_path": f"in/{name}"} | changes),
    )
    store(version.path, content)
    if lines:
        Manifest.objects.create(version=version, lines=packed_lines(lines))
    return version


def packed_lines(lines):
    return zlib.compress("".join(json.dumps(line) + "\n" for line in lines).encode())


def store_series(instances, *, name="T1w.dicom.zip", **changes) -> FileVersion:
    content, lines = packed(instances)
    return store_file(content, name=name, lines=lines, **changes)


def _stat_of(path):
    found = path.stat()
    return found.st_size, found.st_mtime_ns, f"{found.st_mtime_ns:x}-{found.st_size:x}"


def refer_file(lies, *, storage, name="scan.dcm", **changes) -> FileVersion:
    """A version whose bytes stay in the storage's folder."""
    size, mtime_ns, etag = _stat_of(lies)
    values = {
        "size": size, "digest": "", "digest_of": "unread", "reference": True, "storage": storage,
        "path": str(lies.relative_to(storage.bucket)), "mtime_ns": mtime_ns, "etag": etag, "created_at": NOW,
    }  # fmt: skip
    file = make_file(name=name, type="dicom", acquisition=changes.pop("acquisition", None) or make_acquisition())
    return make_version(file=file, **(values | changes))


def refer_series(instances, *, storage, name="T1w.dicom.zip", **changes) -> FileVersion:
    """A version whose members are files of the storage's folder, `000.dcm`, `001.dcm` and so on."""
    lines = []
    for number, content in enumerate(instances):
        path = Path(storage.bucket) / "series" / f"{number:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        head = dcmread(BytesIO(content), stop_before_pixels=True)
        size, mtime_ns, etag = _stat_of(path)
        member = f"{head.SOPInstanceUID}.{head.get('Modality', 'NA')}.dcm"
        lines.append([member, size, "", f"series/{number:03}.dcm", mtime_ns, etag])
    first = Path(storage.bucket) / lines[0][3]
    version = refer_file(
        first, storage=storage, name=name, **{"path": "series/", "mtime_ns": None, "etag": "", **changes}
    )
    version.size, version.members = sum(line[1] for line in lines), len(lines)
    version.save()
    Manifest.objects.create(version=version, lines=packed_lines(sorted(lines)))
    return version


def local_storage(path, **fields):
    """A storage over a folder, on a provider."""
    path.mkdir(parents=True, exist_ok=True)
    provider = make_provider(kind="fs", bucket=str(path))
    return make_storage(kind="fs", bucket=str(path), provider=provider, **fields)
