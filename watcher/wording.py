"""States of deliveries and of the watcher in words for people: the only place that knows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from importer.core.wording import Tone, Wording
from watcher.health import Health
from watcher.states import BatchStatus, Completion

BATCH: Mapping[str, Wording] = {
    BatchStatus.HELD: Wording("Held", Tone.WARN, "Its drop folder has no project yet."),
    BatchStatus.IMPORTING: Wording("Importing", Tone.BUSY, "Its import is under way.", live=True),
    BatchStatus.PLANNED: Wording("Planned", Tone.WARN, "Its plan waits for approval."),
    BatchStatus.IMPORTED: Wording("Imported", Tone.GOOD, "Every file is accounted for."),
    BatchStatus.NEEDS_REVIEW: Wording("Needs review", Tone.WARN, "Some files wait in quarantine for a decision."),
    BatchStatus.PARTIAL: Wording("Partly imported", Tone.BAD, "Some files failed; the import says which and why."),
    BatchStatus.EMPTY: Wording("Empty", Tone.IDLE, "There was no file in it."),
    BatchStatus.FAILED: Wording("Failed", Tone.BAD, "Its import could not go on."),
    BatchStatus.CANCELLED: Wording("Cancelled", Tone.IDLE, "Stopped by a person; what had landed stays."),
}

HEALTH: Mapping[str, Wording] = {
    Health.HEALTHY: Wording("Watching", Tone.GOOD, "New deliveries are picked up.", live=True),
    Health.DEGRADED: Wording("In trouble", Tone.WARN, "It runs, but not every drop folder can be watched."),
    Health.SILENT: Wording("Not answering", Tone.BAD, "It has not reported for too long."),
    Health.STOPPED: Wording("Not running", Tone.BAD, "Nothing is picked up."),
    Health.OFF: Wording("Switched off", Tone.IDLE, "An admin has switched this drop folder off."),
    Health.UNKNOWN: Wording("Not looked at yet", Tone.IDLE, "The watcher has not reported about it."),
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person should know about the watcher, and the commands that help. Placeholders: host, since, beat."""

    sentence: str
    commands: tuple[str, ...] = ()


_START = "python manage.py start_watcher"
WATCH: Mapping[str, Advice] = {
    Health.HEALTHY: Advice("The watcher runs on {host} since {since}; its last heartbeat was {beat}."),
    Health.DEGRADED: Advice("The watcher runs, but cannot watch every drop folder; the reason stands beside each."),
    Health.SILENT: Advice(
        "The watcher on {host} has not reported for too long: its last heartbeat was {beat}. Deliveries stay where "
        "they are. Look at its log, then start it again:",
        ("python manage.py stop_watcher", _START),
    ),
    Health.STOPPED: Advice("The watcher is not running. Deliveries stay where they are until it starts:", (_START,)),
}

COMPLETION: Mapping[str, str] = {
    Completion.AUTO: "when it is renamed from a temporary name, else when it has been quiet for long enough",
    Completion.RENAME: "when its name no longer has a temporary ending",
    Completion.MARKER: "when its marker file is there",
    Completion.QUIET: "when nothing in it has changed for long enough",
}
