"""Stored bytes on their way to a reader: whole or, so that a broken download can go on, one range of them."""

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from hierarchy.errors import Refused
from hierarchy.models import FileVersion
from storages.errors import PlaceError
from storages.places import archive

BLOCK = 1 << 18
DICOM = "application/dicom"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
# What no file system or header takes in a name, and what would make a folder of it.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069/\\]")


def download(request: HttpRequest, version: FileVersion, *, name: str) -> HttpResponseBase:
    """The bytes of a version as an attachment. Raises Refused when they are not where they were stored."""
    try:
        stream = archive().open(version.path)
    except (OSError, PlaceError) as error:
        raise Refused(
            "The bytes of this version cannot be read where they were stored. "
            "Ask whoever runs the archive to check that its disk is there."
        ) from error
    response = _answer(request, version, stream)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=_UNFIT.sub("_", name))
    response["ETag"] = _etag(version)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    return response


def content_type(name: str) -> str:
    if name.lower().endswith((".dcm", ".dicom", ".ima")):
        return DICOM
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def _etag(version: FileVersion) -> str:
    return f'"{version.pk.hex}"'


def _answer(request: HttpRequest, version: FileVersion, stream: BinaryIO) -> HttpResponseBase:
    kind = content_type(version.path)
    asked = request.headers.get("Range", "")
    if not asked or request.headers.get("If-Range", _etag(version)) != _etag(version):
        return FileResponse(stream, content_type=kind)
    try:
        first, last = _span(asked, version.size)
    except ValueError:
        stream.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{version.size}"})
    response = StreamingHttpResponse(Part(stream, first, last), status=206, content_type=kind)
    response["Content-Length"] = str(last - first + 1)
    response["Content-Range"] = f"bytes {first}-{last}/{version.size}"
    return response


def _span(asked: str, size: int) -> tuple[int, int]:
    """First and last byte of the one range that is asked for (RFC 9110, 14.1.2). ValueError where there is none."""
    found = _RANGE.fullmatch(asked)
    if found is None or not any(found.groups()):
        raise ValueError
    first, last = found.groups()
    if not first:
        begin, end = max(size - int(last), 0), size - 1
    else:
        begin, end = int(first), min(int(last or size - 1), size - 1)
    if begin > end:
        raise ValueError
    return begin, end


@dataclass(slots=True)
class Part:
    """Bytes `first` to `last` of a stream, which is closed with the answer, begun or not."""

    stream: BinaryIO
    first: int
    last: int

    def __iter__(self) -> Iterator[bytes]:
        self.stream.seek(self.first)
        left = self.last - self.first + 1
        while left and (block := self.stream.read(min(BLOCK, left))):
            left -= len(block)
            yield block

    def close(self) -> None:
        self.stream.close()
