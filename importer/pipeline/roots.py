"""Whether a place is the one that it was: a mount that is away is never a deletion, and an empty folder proves nothing.

A place of our own carries a mark (`storages.marks`); a storage, where we write nothing, is known by the
identity of its disk or bucket. Where these say nothing, some of the files that are to lie there speak for it.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef

from hierarchy import references
from hierarchy.models import FileVersion
from importer.core.checks import CheckState, Lies
from importer.models import CheckedRoot, Event
from importer.pipeline.sights import PATIENCE, OwnBytes, References, RootAway, Sight, Stored, print_of
from storages.deadline import within
from storages.errors import PlaceError
from storages.marks import check_mark
from storages.models import ExternalStorage, KnownPlace, Ours
from storages.place_contract import Place
from storages.places import archive, quarantine
from storages.stores import StoreAway, StoreConfig, StoreError, store_for

# Files that speak for a place.
WITNESSES = 20
SYSTEM = "system"

NOTHING_THERE = "None of {count:,} files that were looked for is there: is the disk mounted?"
OTHER_DISK = (
    "This is not the disk or bucket that was there before: is the right one mounted? If everything was moved here as a "
    "whole, say so with move_storage."
)
EMPTY = "Nothing at all lies there: is the disk mounted?"


def roots() -> list[CheckedRoot]:
    """Our own places, and every storage that something refers to."""
    for place in (Lies.ARCHIVE, Lies.QUARANTINE):
        CheckedRoot.objects.get_or_create(place=place, storage=None)
    referred = Exists(FileVersion.objects.filter(storage=OuterRef("pk")))
    for pk in ExternalStorage.objects.filter(referred, checked_root=None).values_list("pk", flat=True):
        CheckedRoot.objects.get_or_create(place=Lies.STORAGE, storage_id=pk)
    return list(CheckedRoot.objects.select_related("storage").order_by("pk"))


def place_of(root: CheckedRoot) -> Place:
    return archive() if root.place == Lies.ARCHIVE else quarantine()


def sight_of(root: CheckedRoot, witnesses: Sequence[Stored], *, now: datetime) -> Sight:
    """For looking at what lies there. Raises RootAway where it is not the place that it was."""
    if root.storage is None:
        return _own(root, witnesses, now=now)
    try:
        config = references.config_for(root.storage)
        return _storage(root, root.storage, config, witnesses)
    except StoreError as error:
        raise RootAway(str(error)) from error


def _own(root: CheckedRoot, witnesses: Sequence[Stored], *, now: datetime) -> Sight:
    sight, name = OwnBytes(place_of(root)), Ours(root.place)
    try:
        # Asked in time first: a mount whose server died answers nobody.
        within(PATIENCE, sight.place.mark, about=("mark", sight.place))
        if not witnesses:
            return sight
        known = KnownPlace.objects.filter(name=name).exists()
        if not known and not within(PATIENCE, lambda: _is_there(sight, witnesses), about=("look", sight.place)):
            raise RootAway(NOTHING_THERE.format(count=len(witnesses)))
        check_mark(name, sight.place, now=now)
    except (StoreAway, PlaceError) as error:
        raise RootAway(str(error)) from error
    return sight


def _is_there(sight: Sight, witnesses: Sequence[Stored]) -> bool:
    return any(sight.look(one).state not in {CheckState.MISSING, CheckState.UNREADABLE} for one in witnesses)


def _storage(root: CheckedRoot, storage: ExternalStorage, config: StoreConfig, witnesses: Sequence[Stored]) -> Sight:
    seen = print_of(config)
    if root.token:
        if root.token != seen:
            raise RootAway(OTHER_DISK)
        return References(config, seen)
    identity = within(PATIENCE, store_for(config).identity, about=("identity", config))
    if storage.identity and storage.identity != identity:
        raise RootAway(OTHER_DISK)
    sight = References(config, seen)
    if witnesses and not _is_there(sight, witnesses) and not (storage.identity or _anything(config)):
        raise RootAway(EMPTY)
    remember(root, storage, seen, identity)
    return sight


def remember(root: CheckedRoot, storage: ExternalStorage, seen: str, identity: str) -> None:
    root.token = seen
    CheckedRoot.objects.filter(pk=root.pk).update(token=seen)
    ExternalStorage.objects.filter(pk=storage.pk, identity="").update(identity=identity)


def _anything(config: StoreConfig) -> bool:
    level = within(PATIENCE, lambda: store_for(config).folders(limit=1), about=("anything", config))
    return bool(level.folders or level.objects)


def went_away(root: CheckedRoot, words: str, *, now: datetime) -> None:
    """Said once; the rows of what lies there stay as they are."""
    gone = CheckedRoot.objects.filter(pk=root.pk, away_since=None).update(away_since=now, words=words)
    if gone:
        _tell(root, "place away", words, now=now)
    else:
        CheckedRoot.objects.filter(pk=root.pk).update(words=words)
    root.refresh_from_db(fields=["away_since", "words"])


def came_back(root: CheckedRoot, *, now: datetime) -> None:
    if CheckedRoot.objects.filter(pk=root.pk, away_since__isnull=False).update(away_since=None, words=""):
        _tell(root, "place back", "", now=now)
        root.refresh_from_db(fields=["away_since", "words"])


def _tell(root: CheckedRoot, what: str, detail: str, *, now: datetime) -> None:
    said = f"{root}: {detail}" if detail else str(root)
    Event.objects.create(at=now, who=SYSTEM, what=what, detail=said, storage_id=root.storage_id)
