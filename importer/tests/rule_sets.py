"""Rule sets for tests, with the shortest way to what a test is about."""

from datetime import timedelta

from importer import rule_sets
from importer.models import RuleSet
from importer.tests.factories import START

TEXT = "- type: dicom\n"
OTHER = "- type: dicom\n- level: session\n"
LATER = START + timedelta(hours=1)
BAD = "- level: sesion\n- mappings: 'path={sub'\n"


def by(actor=None, now=LATER, who="user anna@example.org"):
    return {"actor": actor, "who": who, "now": now}


def make_rule_set(name="weekly", text=TEXT, *, actor=None, archived=False, **fields) -> RuleSet:
    """The site's, unless a group or a project is given."""
    made = rule_sets.create(rule_sets.NewRuleSet(name=name, text=text, **fields), **by(actor, START))
    return rule_sets.archive(made.pk, **by(actor)) if archived else made
