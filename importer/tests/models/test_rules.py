"""Each rule about rule sets, asked of the database itself: rows go in as SQL, past every check in Python."""

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError

from hierarchy.tests.factories import NOW, make_group, make_project
from hierarchy.tests.test_constraints import insert, named, twice
from importer.models import RuleSample, RuleSet, RuleSetVersion

pytestmark = pytest.mark.django_db
MODELS = (RuleSet, RuleSetVersion, RuleSample)


def rule_set(**changes):
    insert(RuleSet, **({"name": "weekly"} | changes))


def version(**changes):
    if "rule_set_id" not in changes:
        rule_set()
        changes["rule_set_id"] = RuleSet.objects.latest("id").pk
    insert(RuleSetVersion, **({"number": 1, "text": "- level: subject", "who": "system"} | changes))


def defaults(**scope):
    rule_set(name="one", is_default=True, **scope)
    rule_set(name="two", is_default=True, **scope)


def numbered_twice():
    version()
    version(rule_set_id=RuleSet.objects.get().pk)


REFUSED = {
    "rule_set_has_one_scope": lambda: rule_set(group_id=make_group().pk, project_id=make_project().pk),
    "rule_set_has_name": lambda: rule_set(name=""),
    "rule_set_version_counts_from_one": lambda: rule_set(version=0),
    "rule_set_default_in_use": lambda: rule_set(is_default=True, archived_at=NOW),
    "rule_set_once_per_site": lambda: twice(rule_set),
    "rule_set_once_per_group": lambda: twice(rule_set, group_id=make_group().pk),
    "rule_set_once_per_project": lambda: twice(rule_set, project_id=make_project().pk),
    "one_default_rule_set_per_site": defaults,
    "one_default_rule_set_per_group": lambda: defaults(group_id=make_group().pk),
    "one_default_rule_set_per_project": lambda: defaults(project_id=make_project().pk),
    "rule_set_version_number_once": numbered_twice,
    "rule_set_version_number_from_one": lambda: version(number=0),
}


def constraints():
    return {one.name: one for model in MODELS for one in model._meta.constraints}


@pytest.mark.parametrize("case", REFUSED)
def test_the_database_refuses_what_breaks_a_rule(case):
    with pytest.raises(IntegrityError) as refusal:
        REFUSED[case]()
    assert named(constraints()[case]) in str(refusal.value)


def test_every_rule_about_rule_sets_has_a_case_here():
    assert set(constraints()) == set(REFUSED)


def test_one_name_and_one_default_may_stand_in_every_scope():
    for scope in ({}, {"group_id": make_group().pk}, {"project_id": make_project().pk}):
        rule_set(is_default=True, **scope)
    assert RuleSet.objects.filter(name="weekly", is_default=True).count() == 3


def test_a_rule_set_with_a_history_is_not_deleted():
    version()
    with pytest.raises(ProtectedError):
        RuleSet.objects.get().delete()
