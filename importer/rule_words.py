"""What pages of rules say: fates of tried files, scopes, and the text that a new rule set begins with."""

from collections.abc import Mapping

from importer.core.rules.trials import Fate
from importer.core.wording import Tone, Wording
from importer.rule_choice import RuleScope

FATE: Mapping[str, Wording] = {
    Fate.TAKEN: Wording("Taken", Tone.GOOD, "A rule takes it and knows its place."),
    Fate.BESIDE: Wording("Beside DICOM", Tone.GOOD, "Goes where the DICOM around it goes."),
    Fate.HELD: Wording("Held", Tone.WARN, "A label is missing: it would wait in quarantine for a person."),
    Fate.SKIPPED: Wording("Skipped", Tone.IDLE, "Left out; the reason says why."),
    Fate.FAILED: Wording("Failed", Tone.BAD, "Could not be imported; the reason says why."),
    Fate.UNREAD: Wording("Not tried", Tone.REST, "It may be DICOM, and the sample has not got its header."),
}

SCOPE: Mapping[str, str] = {
    RuleScope.BUILT_IN: "Built in",
    RuleScope.SITE: "Site",
    RuleScope.GROUP: "Group",
    RuleScope.PROJECT: "Project",
}

STARTER = """\
# The first rule that matches takes the file.
- name: DICOM by header
  type: dicom

- name: Everything else, by its folders
  mappings:
    - path=**/{subject}/{session}/{acquisition}/*
"""
