"""One picture of a stored file and the way to its neighbours, for a page that works without script."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from hierarchy.decode.why import NoPicture
from hierarchy.models import FileVersion
from hierarchy.paging import address, number
from hierarchy.pictures import slices

WIDTH = 512


@dataclass(frozen=True, slots=True)
class Viewer:
    """`why` says in words why there is nothing to show; slices count from 0, people from 1."""

    version: FileVersion
    index: int = 0
    total: int = 0
    approximate: bool = False
    why: str = ""
    before: str = ""
    after: str = ""

    @property
    def shown(self) -> int:
        return self.index + 1

    @property
    def last(self) -> int:
        return self.total - 1

    @property
    def picture(self) -> str:
        """The address of the picture, without the slice."""
        return f"{reverse('file-picture', args=[self.version.file_id])}?version={self.version.number}&width={WIDTH}"


def viewer(request: HttpRequest, version: FileVersion) -> Viewer:
    """Of the slice that the address names, else of the middle one; numbers beyond the end mean the last."""
    try:
        found = slices(version)
    except NoPicture as without:
        return Viewer(version, why=str(without.why))
    asked = number(request, "slice")
    index = found.middle if asked is None else min(asked, len(found) - 1)
    return Viewer(
        version,
        index=index,
        total=len(found),
        approximate=found.approximate,
        before=address(request, "slice", str(index - 1)) if index else "",
        after=address(request, "slice", str(index + 1)) if index + 1 < len(found) else "",
    )
