"""What was found spoiled among our own bytes is put back from a copy that is proven good, and said in an event.

Never built on trust: the copy is read, what was written is read again, and only then takes it the place of the spoiled
bytes. Where no good copy is left, nothing is touched.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial

from django.db import transaction

from hierarchy.models import DigestOf
from importer.core import manifest
from importer.core.checks import WRONG, CheckState
from importer.core.manifest import Member
from importer.models import Check, Event
from importer.pipeline import checked
from importer.pipeline.copies import Archives, Broken, Good, Sources, jobs_of, of_its_members, repaired, whole_copies
from importer.pipeline.packing import SMALL, member_info
from importer.pipeline.roots import WITNESSES, place_of, sight_of
from importer.pipeline.sights import RootAway, Sight, Stored, compared
from storages.errors import PlaceError, explained
from storages.place_contract import Place, Staged

NOT_OURS = "These bytes are not ours: put them back at their source, or import them again."
NO_COPY = "No good copy is left in quarantine, in another version or at the source: take it from a backup."
NO_MEMBER = "No good copy of {count:,} of its {total:,} members is left anywhere: take it from a backup."
RIGHT = "It is as it was stored: there is nothing to repair."


class CannotRepair(Exception):
    """The text says why. Nothing was touched."""


def repair(check_id: int, *, who: str, now: datetime) -> str:
    """Where the good bytes came from, in words. Raises CannotRepair."""
    row = _row(check_id)
    if row.root.storage_id is not None:
        raise CannotRepair(NOT_OURS)
    stored = checked.stored(Check.objects.filter(pk=row.pk))[0]
    try:
        # Looked at anew: it may have come back, or its place may be away.
        sight = sight_of(row.root, checked.witnesses(row.root, most=WITNESSES), now=now)
        found = sight.read(stored)
        if found.state == CheckState.OK:
            checked.tell([(stored, found)], begun=now, now=now, read=True)
            raise CannotRepair(RIGHT)
        words = _put_back(row, stored, place_of(row.root))
        _tell(row, sight, words, who=who, now=now)
    except (RootAway, PlaceError) as error:
        raise CannotRepair(str(error)) from error
    return words


def _row(check_id: int) -> Check:
    rows = Check.objects.select_related("root__storage", "version", "conflict__job__storage")
    row = rows.filter(pk=check_id).first()
    if row is None:
        raise CannotRepair("It is not stored any more.")
    return row


def _put_back(row: Check, stored: Stored, place: Place) -> str:
    with ExitStack() as stack:
        for words, staged in _candidates(row, stored, place, stack):
            try:
                if staged is not None and _is_right(staged, stored):
                    _replace(place, staged, stored.path)
                    return words
            finally:
                if staged is not None:
                    place.discard(staged)
    raise CannotRepair(NO_COPY)


def _replace(place: Place, staged: Staged, path: str) -> None:
    """Beside the spoiled bytes first: killed at any moment, what is proven good lies whole under one of the names."""
    beside = repaired(path)
    place.delete(beside)
    staged.path = beside
    place.publish([staged])
    place.delete(path)
    place.publish([place.stage_from(place, beside, to=path)])
    place.delete(beside)


def _candidates(row: Check, stored: Stored, place: Place, stack: ExitStack) -> Iterator[tuple[str, Staged | None]]:
    """Whole copies, then what can be put together; each under a temporary name of the place."""
    for copy in whole_copies(row, digest=stored.digest, kind=stored.digest_of):
        yield copy.words, _copied(place, stored, Good(copy.words, partial(copy.place.open, copy.path), stored.digest))
    if stored.digest_of == DigestOf.MANIFEST:
        yield _packed(row, stored, place, stack)
        return
    path = _source_path(row)
    for good in Sources(jobs_of(row), [path], stack).having(path, stored.digest):
        yield good.words, _copied(place, stored, good)


def _source_path(row: Check) -> str:
    if row.version is not None:
        return row.version.source_path
    assert row.conflict is not None  # noqa: S101  a check constraint of Check
    lines = bytes(row.conflict.manifest)
    return next((member.source for member in manifest.from_lines(lines)), "") if lines else ""


def _copied(place: Place, stored: Stored, good: Good) -> Staged | None:
    staged = place.stage(stored.path)
    try:
        with explained("place"):
            for block in good.blocks():
                staged.stream.write(block)
            staged.stream.flush()
    except Broken:
        place.discard(staged)
        return None
    except BaseException:
        place.discard(staged)
        raise
    return staged


def _packed(row: Check, stored: Stored, place: Place, stack: ExitStack) -> tuple[str, Staged]:
    """The archive, made again of members that are right wherever they lie."""
    members = list(manifest.from_lines(stored.lines))
    archives = Archives(list(of_its_members(row)), stack)
    sources = Sources(jobs_of(row), [member.source for member in members], stack)
    found = [(member, _good(member, archives, sources)) for member in members]
    lacking = sum(1 for _, good in found if good is None)
    if lacking:
        raise CannotRepair(NO_MEMBER.format(count=lacking, total=len(members)))
    known = [(member, good) for member, good in found if good is not None]
    staged = place.stage(stored.path)
    try:
        _write(staged, known)
    except Broken as error:
        place.discard(staged)
        raise CannotRepair(NO_COPY) from error
    except BaseException:
        place.discard(staged)
        raise
    return " and ".join(sorted({good.words for _, good in known})), staged


def _good(member: Member, archives: Archives, sources: Sources) -> Good | None:
    in_archives = next(archives.having(member), None)
    return in_archives or next(sources.having(member.source, member.sha256), None)


def _write(staged: Staged, members: Sequence[tuple[Member, Good]]) -> None:
    """As `packing` writes it, so that it has the size that its row says."""
    with explained("place"), zipfile.ZipFile(staged.stream, "w", zipfile.ZIP_STORED) as target:
        for member, good in members:
            info = member_info(member.name)
            info.file_size = member.size
            large = member.size > SMALL and member.size > zipfile.ZIP64_LIMIT // 2
            with target.open(info, "w", force_zip64=large) as stream:
                for block in good.blocks():
                    stream.write(block)
    staged.stream.flush()


def _is_right(staged: Staged, stored: Stored) -> bool:
    assert staged.temporary is not None  # noqa: S101  narrows: `stage` made it
    with staged.temporary.open("rb") as stream:
        right = staged.temporary.stat().st_size == stored.size
        # Another run of zipfile may order its bytes in another way; its members are what counts.
        return right and compared(stream, stored, packing_counts=False).state == CheckState.OK


def _tell(row: Check, sight: Sight, words: str, *, who: str, now: datetime) -> None:
    """Read once more where it lies now. Of what was let go meanwhile nothing is left behind."""
    Check.objects.filter(pk=row.pk).update(sha256="")
    again = checked.stored(Check.objects.filter(pk=row.pk))
    found = [(one, sight.read(one)) for one in again]
    about: dict[str, int | None] = {"conflict_id": row.conflict_id}
    path = row.conflict.path if row.conflict is not None else ""
    if row.version is not None:
        path, about = row.version.path, {"job_id": row.version.import_id}
    if not again:
        place_of(row.root).delete(path)
    with transaction.atomic():
        checked.tell(found, begun=None, now=now, read=True)
        Event.objects.create(
            at=now, who=who, what="repaired", detail=f"{row.root}: {path} was {row.state}; from {words}", **about
        )


def spoiled(root_ids: Sequence[int]) -> list[int]:
    """What was found wrong there the last time."""
    rows = Check.objects.filter(root__in=root_ids, root__storage=None, state__in=sorted(WRONG))
    return list(rows.order_by("pk").values_list("pk", flat=True))
