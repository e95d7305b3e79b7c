"""Schedules in words for people."""

from collections.abc import Mapping

from importer.core.wording import Tone, Wording
from importer.models import ImportSchedule

ON, TROUBLE, OVER, OFF = "on", "trouble", "over", "off"

STATE: Mapping[str, Wording] = {
    ON: Wording("On", Tone.GOOD, "It runs by itself when it is due."),
    TROUBLE: Wording("In trouble", Tone.WARN, "The last run that was due did not take place."),
    OVER: Wording("Over", Tone.IDLE, "Its end is past: nothing is due any more."),
    OFF: Wording("Off", Tone.IDLE, "Switched off: nothing is due."),
}


def state_of(schedule: ImportSchedule) -> str:
    if not schedule.active:
        return OFF
    if schedule.trouble:
        return TROUBLE
    return ON if schedule.next_run_at else OVER
