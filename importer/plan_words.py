"""What a plan says about one destination file, in words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from importer.core.states import ConflictType, Outcome, Strategy
from importer.core.wording import OUTCOME, Tone, Wording
from importer.models import ImportJob, Placement
from importer.pipeline.decide import EXISTS


class What(StrEnum):
    """What an approval would do with it."""

    NEW = "new"
    NEW_VERSION = "new version"
    EXISTS = "exists"
    CONFLICT = "conflict"
    SKIP = "skip"
    FAIL = "fail"


WORDS: Mapping[What, Wording] = {
    What.NEW: Wording("New", Tone.GOOD, "Would be imported."),
    What.NEW_VERSION: Wording("New version", Tone.BUSY, "The import's strategy makes it a version of what stands."),
    What.EXISTS: Wording("Exists", Tone.IDLE, "The same content stands there already."),
    What.CONFLICT: Wording("Conflict", Tone.WARN, "Would wait in quarantine for a decision."),
    What.SKIP: Wording("Skipped", Tone.IDLE, "Left out on purpose; the reason says why."),
    What.FAIL: Wording("Failed", Tone.BAD, "Cannot be imported; the reason says why."),
}
LEFT_OUT = Wording("Left out", Tone.FAINT, "Somebody left it out of this plan.")
PLANNED = Wording("To import", Tone.GOOD, "Would land in the archive.")
_PLAIN = {Outcome.PLANNED: What.NEW, Outcome.FAILED: What.FAIL, Outcome.CANCELLED: What.SKIP}


def what(placement: Placement, job: ImportJob) -> What:
    if placement.outcome == Outcome.SKIPPED:
        return What.EXISTS if placement.reason == EXISTS else What.SKIP
    if placement.outcome == Outcome.CONFLICT:
        versioned = job.strategy == Strategy.UPDATE and placement.conflict_type == ConflictType.FILE_NAME
        return What.NEW_VERSION if versioned else What.CONFLICT
    return _PLAIN.get(Outcome(placement.outcome or Outcome.PLANNED), What.NEW)


def differences(placement: Placement, *, good: int) -> list[str]:
    """What came out otherwise than it was approved, a sentence each; `good` source files would be read now."""
    was = placement.approved
    if not was or not was.get("changed"):
        return []
    if was["outcome"] is None:
        return ["It was not in the plan that was approved."]
    found = [*_outcome(placement, was), *_places(placement, was), *_content(was, good)]
    return found or ["Another source file takes the place of one that changed or is gone."]


def _outcome(placement: Placement, was: Mapping[str, Any]) -> list[str]:
    before, now = _said(was["outcome"], was["reason"]), _said(placement.outcome or "", placement.reason)
    return [f"Was {before}, is now {now}."] if before != now else []


def _said(outcome: str, reason: str) -> str:
    words = OUTCOME[outcome].label.lower() if outcome in OUTCOME else "not decided"
    return f"{words} ({reason})" if reason else words


def _places(placement: Placement, was: Mapping[str, Any]) -> list[str]:
    found = []
    for level in ("subject", "session", "acquisition", "file"):
        before, now = was[f"{level}_id"], getattr(placement, f"{level}_id")
        if before == now:
            continue
        if before is None:
            found.append(f"The {level} was new, and is there now.")
        elif now is None:
            found.append(f"The {level} was there, and would be made now.")
        else:
            found.append(f"The {level} is another one now.")
    if was["file_id"] == placement.file_id and was["version"] != placement.version:
        found.append(f"The file was at version {was['version']}, and is at {placement.version} now.")
    return found


def _content(was: Mapping[str, Any], good: int) -> list[str]:
    if was["files"] != good:
        return [
            f"Of its {was['files']:,} source files {good:,} are as they were listed: the others changed or are gone."
        ]
    return []
