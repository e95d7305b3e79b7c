"""The words of the review page: what each action is called, its key, and states of deciding."""

from collections.abc import Mapping

from importer.core.methods import Action
from importer.core.states import DecisionStatus, ResolutionStatus
from importer.core.wording import Tone, Wording

ACTION: Mapping[str, str] = {
    Action.REPLACE: "Update existing",
    Action.MERGE: "Merge",
    Action.RENAME: "Keep all",
    Action.ALLOW: "Keep all",
    Action.ASSIGN: "Assign label",
    Action.REJECT: "Skip",
    Action.RETRY: "Retry",
    "update": "Update existing",
    "keep-all": "Keep all",
    "skip": "Skip",
}
KEY: Mapping[str, str] = {
    Action.REPLACE: "u",
    Action.MERGE: "m",
    Action.RENAME: "b",
    Action.ALLOW: "b",
    Action.ASSIGN: "b",
    Action.REJECT: "s",
    Action.RETRY: "r",
}
RESOLUTION: Mapping[str, Wording] = {
    ResolutionStatus.RUNNING: Wording("Being carried out", Tone.BUSY, live=True),
    ResolutionStatus.PAUSED: Wording("Paused", Tone.WARN, "Something outside is broken; it goes on by itself."),
    ResolutionStatus.CANCELLING: Wording("Stopping", Tone.WARN, live=True),
    ResolutionStatus.DONE: Wording("Done", Tone.GOOD),
    ResolutionStatus.CANCELLED: Wording("Stopped", Tone.IDLE, "What had been carried out stands."),
}
DECISION: Mapping[str, Wording] = {
    DecisionStatus.PENDING: Wording("Waiting its turn", Tone.BUSY),
    DecisionStatus.APPLIED: Wording("Carried out", Tone.GOOD),
    DecisionStatus.REFUSED: Wording("Could not be", Tone.BAD, "The conflict stays open."),
    DecisionStatus.CANCELLED: Wording("Stopped", Tone.IDLE),
    DecisionStatus.UNDONE: Wording("Taken back", Tone.IDLE),
}
