"""Files that become ours without being copied: a second name for the same bytes. A move takes the first one away
later, when everything is proven (`importer.pipeline.removal`)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from importer.core.folder import Opener
from importer.core.listed import modified
from importer.core.manifest import Member
from importer.core.names import raw
from importer.core.records import Bad
from importer.core.states import Outcome
from importer.models import ImportJob, Item, Placement
from importer.pipeline.compare import digested
from importer.pipeline.in_place import folder_behind
from importer.pipeline.leases import Lease
from importer.pipeline.packing import Packed, begun
from importer.pipeline.reading import CHANGED, UNOPENED, why
from importer.pipeline.sources import Source
from storages.links import stage_same

NOT_LINKED = "Not linked: the file system refuses a second name for it (another mount, or another owner): choose copy"


def link(placement: Placement, items: Sequence[Item], *, job: ImportJob, source: Source, lease: Lease) -> Packed:
    """One file that stays as it is. Its bytes are read once, for their digest. Raises SourceAway, PlaceFull,
    PlaceAway, LostLease or Stopped, and then leaves nothing behind."""
    lease.check()
    packed, item = begun(placement, job.project), items[0]
    digest = digested(source, item)
    bad = digest if isinstance(digest, Bad) else _linked(packed, item, job)
    if bad is not None:
        packed.bad.append((item.pk, str(bad.outcome), bad.reason))
    elif isinstance(digest, str):
        packed.members.append(Member(placement.file_name, item.size, digest, item.path))
    return packed


def _linked(packed: Packed, item: Item, job: ImportJob) -> Bad | None:
    """The very file that was read: of the size and time that it was listed with."""
    try:
        with Opener(root_of(job)) as opener, _opened(opener, item.path) as handle:
            found = os.fstat(handle)
            if (found.st_size, modified(found)) != (item.size, item.mtime_ns):
                return CHANGED
            try:
                packed.staged = stage_same(packed.place, packed.path, handle=handle)
            except OSError:
                return Bad(Outcome.FAILED, NOT_LINKED)
    except UNOPENED as error:
        return why(error)
    return None


@contextmanager
def _opened(opener: Opener, path: str) -> Iterator[int]:
    handle = opener.open(path)
    try:
        yield handle
    finally:
        os.close(handle)


def root_of(job: ImportJob) -> bytes:
    """The folder that the paths of its files begin at."""
    return raw(job.source_root) if job.storage is None else folder_behind(job.storage)
