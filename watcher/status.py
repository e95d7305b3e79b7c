"""The watcher's state for a terminal or a script."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypedDict

from importer.core.names import shown
from watcher.health import Health, state_of
from watcher.identity import Owner, alive, machine
from watcher.models import DropFolder, Watch
from watcher.wording import HEALTH


class FolderStatus(TypedDict):
    """One drop folder; `report` is what the watcher said about it last, None when it has not yet."""

    id: int
    name: str
    path: str
    enabled: bool
    report: dict[str, Any] | None


class Status(TypedDict):
    """`state` is a Health; `beat_age` is in seconds; `lock_held` is what this machine's kernel says."""

    state: str
    host: str
    pid: int | None
    since: str | None
    beat_age: float | None
    lock_held: bool
    folders: list[FolderStatus]


def now(*, at: datetime, locked: bool) -> Status:
    """As of `at`. On the watcher's own machine a fresh heartbeat of a process that was killed counts as none."""
    row = Watch.objects.filter(pk=1).first()
    state = state_of(None if row and _killed(row) else row, now=at)
    said = row.report.get("roots", {}) if row and state.alive else {}
    return Status(
        state=state.health,
        host=state.host,
        pid=state.pid,
        since=state.since.isoformat() if state.since else None,
        beat_age=round((at - state.beat_at).total_seconds(), 1) if state.beat_at else None,
        lock_held=locked,
        folders=[_folder(folder, said) for folder in DropFolder.objects.order_by("name")],
    )


def _killed(row: Watch) -> bool:
    owner = Owner.parse(row.owner)
    return owner is not None and owner.machine == machine() and not alive(owner)


def _folder(folder: DropFolder, said: dict[str, Any]) -> FolderStatus:
    return FolderStatus(
        id=folder.pk,
        name=folder.name,
        path=folder.path,
        enabled=folder.enabled,
        report=said.get(str(folder.pk)),
    )


def in_words(status: Status) -> Iterator[str]:
    """Lines for a terminal."""
    wording = HEALTH[status["state"]]
    yield f"{wording.label}. {wording.hint}"
    if status["state"] != Health.STOPPED:
        beat = f"last heard of {status['beat_age']:g} s ago" if status["beat_age"] is not None else "never heard of"
        yield f"host {status['host']}, pid {status['pid']}, since {status['since']}, {beat}"
    for folder in status["folders"]:
        yield from _folder_in_words(folder)


def _folder_in_words(folder: FolderStatus) -> Iterator[str]:
    said = folder["report"]
    head = f"{folder['id']}  {shown(folder['name'])}  {shown(folder['path'])}"
    if not folder["enabled"] or said is None:
        yield f"{head}: {'not looked at yet' if folder['enabled'] else 'switched off'}"
        return
    health = "healthy" if said["healthy"] else f"in trouble: {said['reason']}"
    waiting = f"{said['settling_count']} settling, {said['ready']} waiting for their turn"
    yield f"{head}: {health} ({said['mode']}, {waiting})"
    for one in said["settling"]:
        yield f"    {shown(one['name'])}: {one['why']}{', for over a day' if one['overdue'] else ''}"
    for one in said["refused"]:
        yield f"    {shown(one['name'])}: {one['why']}"
    if said["loose_count"]:
        yield f"    {said['loose_count']} files lie in the drop folder itself: put them into a folder to import them"
