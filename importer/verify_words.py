"""How stored files were found, in words for people."""

from collections.abc import Mapping

from importer.core.checks import CheckState, Ended
from importer.core.wording import Tone, Wording

CHECK: Mapping[str, Wording] = {
    CheckState.UNCHECKED: Wording("Not checked yet", Tone.IDLE, "It is looked at within the day."),
    CheckState.OK: Wording("OK", Tone.GOOD, "There, and as it was stored."),
    CheckState.CHANGED: Wording("Changed", Tone.BAD, "There, but not what was stored."),
    CheckState.MISSING: Wording("Missing", Tone.BAD, "Not there, although its place is."),
    CheckState.UNREADABLE: Wording("Unreadable", Tone.BAD, "There, but it cannot be read."),
    CheckState.AWAY: Wording(
        "Place is away", Tone.WARN, "Nothing is concluded about what lies there until it is back."
    ),
}
ENDED: Mapping[str, str] = {
    "": "",
    Ended.DONE: "all that was due is done",
    Ended.TIME: "stopped after its time, and goes on in the next run",
    Ended.BYTES: "stopped after its bytes, and goes on in the next run",
    Ended.AWAY: "the place is away",
}
