"""What a slice is about to name, told before it is done: so whoever comes after a killed worker knows what to look for.

A TRANSFER chunk keeps its intents in `answers`, also when it ends with bytes that nobody wants, until they are gone.
"""

from collections.abc import Iterable

from importer.core.states import Work
from importer.models import Chunk
from importer.pipeline import chunks
from importer.pipeline.leases import Lease, LostLease
from importer.pipeline.packing import Packed
from importer.pipeline.spoken import in_archive, in_quarantine
from storages.places import archive, quarantine

SPOKEN = {"archive": in_archive, "quarantine": in_quarantine}


def to_blob(packed: Iterable[Packed]) -> bytes:
    """By the place where the bytes lie: landing may have changed the outcome that they were packed for."""
    return chunks.packed([["quarantine" if one.place == quarantine() else "archive", one.path] for one in packed])


def tell(lease: Lease, packed: Iterable[Packed]) -> None:
    """Before final names are given. Raises LostLease."""
    if not lease.held().update(answers=to_blob(packed)):
        raise LostLease


def drop_unspoken(chunk_id: int) -> None:
    """Deletes what was named for this chunk and no row speaks of. May be repeated; only for who has the lease."""
    blob = Chunk.objects.filter(pk=chunk_id, work=Work.TRANSFER).values_list("answers", flat=True).get()
    if not blob:
        return
    intents = chunks.unpacked(blob)
    for kind, place in (("archive", archive()), ("quarantine", quarantine())):
        paths = {path for told, path in intents if told == kind}
        for path in paths - SPOKEN[kind](paths):
            place.delete(path)
    Chunk.objects.filter(pk=chunk_id).update(answers=b"")


def drop_all_unspoken(job_id: int) -> None:
    """At a job's end, when none of its slices is under way."""
    told = Chunk.objects.filter(job=job_id, work=Work.TRANSFER).exclude(answers=b"")
    for chunk_id in told.order_by("id").values_list("id", flat=True):
        drop_unspoken(chunk_id)
