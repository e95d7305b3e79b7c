"""Schedules, and imports from storages, in words for people."""

from collections.abc import Mapping

from importer.core.transfer_rules import DeleteSource, Transfer
from importer.core.wording import TRANSFER, Tone, Wording
from importer.models import ImportSchedule
from storages.models import ExternalStorage

ON, TROUBLE, OVER, OFF = "on", "trouble", "over", "off"

STATE: Mapping[str, Wording] = {
    ON: Wording("On", Tone.GOOD, "It runs by itself when it is due."),
    TROUBLE: Wording("In trouble", Tone.WARN, "The last run that was due did not take place."),
    OVER: Wording("Over", Tone.IDLE, "Its end is past: nothing is due any more."),
    OFF: Wording("Off", Tone.IDLE, "Switched off: nothing is due."),
}

DELETE_SOURCE: Mapping[str, str] = {
    DeleteSource.NEVER: "stays as it is",
    DeleteSource.ON_SUCCESS: "is deleted when all of it is stored",
}


def transfer_said(transfer: Transfer, storage: ExternalStorage) -> str:
    """What becomes of the bytes; AUTO is what the storage makes of it."""
    if transfer != Transfer.AUTO:
        return TRANSFER[transfer]
    return TRANSFER[Transfer.COPY] if storage.provider_id is None else "by reference where possible, else a copy"


def state_of(schedule: ImportSchedule) -> str:
    if not schedule.active:
        return OFF
    if schedule.trouble:
        return TROUBLE
    return ON if schedule.next_run_at else OVER
