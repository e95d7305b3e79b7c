"""Rule sets: who may keep them, their versions, and two people who change one at the same time."""

import threading

import pytest
from django.db import connections

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Membership
from hierarchy.tests.factories import make_group, make_member, make_project
from importer import rule_sets
from importer.core.rules.builtin import BUILT_IN
from importer.models import Event, RuleSet, RuleSetVersion
from importer.rule_sets import BadRules, NewRuleSet, RuleScope, RuleSetChoice, SavedMeanwhile
from importer.tests.factories import START
from importer.tests.rule_sets import BAD, LATER, OTHER, TEXT, by, make_rule_set

pytestmark = pytest.mark.django_db
ROLES = ("viewer", "uploader", "data_manager", "admin")


@pytest.fixture
def scopes(project):
    return {"site": {}, "group": {"group": project.group}, "project": {"project": project}}


def member_of(scope, role, project):
    """Somebody with one role in one place."""
    where = {"site": {}, "group": {"group": project.group}, "project": {"project": project}}[scope]
    return make_member(role=role, **where)


# Who holds a role where → in which scopes they may keep rule sets.
KEEP = {
    ("project", "viewer"): set(),
    ("project", "uploader"): set(),
    ("project", "data_manager"): {"project"},
    ("project", "admin"): {"project"},
    ("group", "viewer"): set(),
    ("group", "uploader"): set(),
    ("group", "data_manager"): {"project"},
    ("group", "admin"): {"project", "group"},
    ("site", "viewer"): set(),
    ("site", "uploader"): set(),
    ("site", "data_manager"): {"project"},
    ("site", "admin"): {"project", "group", "site"},
}


@pytest.mark.parametrize(("where", "role"), KEEP)
@pytest.mark.parametrize("scope", ["site", "group", "project"])
def test_who_may_keep_rule_sets_where(project, scopes, where, role, scope):
    actor, known = member_of(where, role, project), make_rule_set("known", **scopes[scope])
    verbs = [
        lambda: make_rule_set("mine", actor=actor, **scopes[scope]),
        lambda: rule_sets.edit(known.pk, OTHER, base=1, **by(actor)),
        lambda: rule_sets.describe(known.pk, "new", **by(actor)),
        lambda: rule_sets.make_default(known.pk, **by(actor)),
        lambda: rule_sets.unmake_default(known.pk, **by(actor)),
        lambda: rule_sets.archive(known.pk, **by(actor)),
        lambda: rule_sets.restore(known.pk, **by(actor)),
    ]
    if scope in KEEP[where, role]:
        for verb in verbs:
            verb()
        assert rule_sets.may_change(actor, rule_sets.row_of(known))
        return
    before = (RuleSet.objects.count(), RuleSetVersion.objects.count(), Event.objects.count())
    for verb in verbs:
        with pytest.raises(NotAllowed):
            verb()
    assert not rule_sets.may_change(actor, rule_sets.row_of(known))
    assert (RuleSet.objects.count(), RuleSetVersion.objects.count(), Event.objects.count()) == before


def names(actor, **choice):
    return {one.name for one in rule_sets.listed(actor, RuleSetChoice(**choice))}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_in_a_project_shows_what_applies_to_it_and_nothing_of_others(project, scopes, role):
    for scope, where in scopes.items():
        make_rule_set(scope, **where)
    make_rule_set("sister", project=make_project(group=project.group))
    make_rule_set("foreign", project=make_project())
    make_rule_set("foreign group", group=make_group())
    assert names(member_of("project", role, project)) == {"site", "group", "project"}
    assert names(member_of("group", role, project)) == {"site", "group", "project", "sister"}
    assert len(names(member_of("site", role, project))) == 6
    assert len(names(None)) == 6


def test_a_stranger_and_somebody_switched_off_see_the_built_in_ones_alone(project, people):
    make_rule_set()
    people.viewer.is_active = False
    for actor in (people.stranger, people.viewer):
        assert names(actor) == set()
        assert [row.name for row in rule_sets.all_rows(actor)] == list(BUILT_IN)


def test_what_is_not_seen_is_not_there(project, people):
    hidden = make_rule_set(project=make_project())
    with pytest.raises(Refused, match="There is no rule set") as refusal:
        rule_sets.find(people.admin, str(hidden.pk))
    assert not isinstance(refusal.value, NotAllowed)
    with pytest.raises(Refused, match="There is no rule set"):
        rule_sets.edit(hidden.pk, OTHER, base=1, **by(people.admin))


def test_a_member_of_an_empty_group_sees_its_rule_sets(people):
    group = make_group()
    make_rule_set("theirs", group=group)
    Membership.objects.create(user=people.stranger, group=group, role="viewer")
    assert names(people.stranger) == {"theirs"}


def test_a_list_is_chosen_by_scope_project_words_and_archived(project, scopes):
    for scope, where in scopes.items():
        make_rule_set(scope, description=f"for the {scope} of MR", **where)
    make_rule_set("gone", archived=True)
    other = make_project()
    make_rule_set("elsewhere", project=other)
    assert names(None, scope=RuleScope.GROUP) == {"group"}
    assert names(None, scope=RuleScope.BUILT_IN) == set()
    assert names(None, project=project) == {"site", "group", "project"}
    assert names(None, project=other) == {"site", "elsewhere"}
    assert names(None, words="PROJECT of mr") == {"project"}
    assert names(None, archived=True) == {"gone"}
    assert len(names(None, archived=None)) == 5


def test_built_in_ones_come_first_where_they_belong():
    make_rule_set("aaa")
    assert [row.name for row in rule_sets.all_rows(None)] == [*BUILT_IN, "aaa"]
    assert [row.scope for row in rule_sets.all_rows(None, most=2)] == ["built-in"] * 2
    assert rule_sets.built_ins(RuleSetChoice(scope=RuleScope.SITE)) == []
    assert rule_sets.built_ins(RuleSetChoice(archived=True)) == []
    assert [row.name for row in rule_sets.built_ins(RuleSetChoice(words="BIDS"))] == ["bids"]


def test_a_list_asks_once_whatever_its_length(project, django_assert_num_queries):
    for number in range(30):
        made = make_rule_set(f"set {number}", project=project)
    rule_sets.edit(made.pk, OTHER, base=1, **by(who="user bo@example.org"))
    with django_assert_num_queries(1):
        rows = [rule_sets.row_of(one) for one in rule_sets.listed(None)]
    assert (rows[0].where, rows[0].changed_by, rows[0].changed_at) == ("lab/Brain", "user anna@example.org", START)
    changed = next(row for row in rows if row.id == made.pk)
    assert (changed.version, changed.changed_by, changed.changed_at) == (2, "user bo@example.org", LATER)


def test_what_is_made_has_a_first_version_and_an_event(project):
    made = make_rule_set(project=project, description="D", is_default=True)
    made.refresh_from_db()
    version = made.versions.get()
    assert (made.version, made.is_default, made.description, made.created_at) == (1, True, "D", START)
    assert (version.number, version.text, version.who, version.created_at) == (1, TEXT, "user anna@example.org", START)
    said = list(Event.objects.filter(rule_set_id=made.pk).order_by("id").values_list("what", "who"))
    assert said == [("rule set created", "user anna@example.org"), ("rule set default", "user anna@example.org")]


@pytest.mark.parametrize(
    "name", ["", "  ", "a/b", "a\nb", "-x", ".x", "_x", "x" * 65, "a\0", "12", "standard", "BIDS", "a:b", "{x}"]
)
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(Refused):
        make_rule_set(name)
    assert not RuleSet.objects.exists()


@pytest.mark.parametrize("name", ["Weekly MR (2)", "Für Zürich", "a.b-c_d+e", "3T", "x" * 64, "  trimmed "])
def test_a_name_may_be_what_people_write(name):
    assert make_rule_set(name).name == name.strip()


def test_a_name_is_free_in_another_scope_and_taken_in_its_own_also_when_archived(project, scopes):
    for where in scopes.values():
        make_rule_set("weekly", **where)
    for where in scopes.values():
        with pytest.raises(Refused, match="weekly there already"):
            make_rule_set("weekly", **where)
    rule_sets.archive(RuleSet.objects.get(project=project).pk, **by())
    with pytest.raises(Refused, match="perhaps archived"):
        make_rule_set("weekly", project=project)


def test_a_name_taken_at_the_same_moment_is_refused_by_the_row(monkeypatch):
    make_rule_set("weekly")
    monkeypatch.setattr(rule_sets, "_checked_name", lambda new: new.name)
    with pytest.raises(Refused, match="weekly there already"):
        make_rule_set("weekly")


def test_rules_that_are_wrong_are_refused_with_every_place():
    made = make_rule_set()
    for wrong in (lambda: make_rule_set("bad", BAD), lambda: rule_sets.edit(made.pk, BAD, base=1, **by())):
        with pytest.raises(BadRules) as refusal:
            wrong()
        assert [one.line for one in refusal.value.problems] == [1, 2]
        assert "line 1, column 10" in str(refusal.value)
    assert RuleSetVersion.objects.count() == 1


@pytest.mark.parametrize(
    "text",
    ["", "\0", "- type: dicom\n" * 201, "# " + "x" * 70_000 + "\n- type: dicom\n", "rules: []", "{", "- " * 5000],
)
def test_a_text_that_is_no_rule_set_is_refused_with_a_place(text):
    with pytest.raises(BadRules) as refusal:
        make_rule_set(text=text)
    assert all(one.line >= 1 and one.column >= 1 and one.said for one in refusal.value.problems)


def test_every_edit_is_a_version_and_nothing_is_lost():
    made = make_rule_set()
    rule_sets.edit(made.pk, OTHER, base=1, **by(who="user bo@example.org"))
    rule_sets.edit(made.pk, TEXT, base=2, description="back again", **by())
    row = rule_sets.find(None, str(made.pk))
    assert (row.version, row.description) == (3, "back again")
    assert [(v.number, v.text) for v in rule_sets.versions(row)] == [(3, TEXT), (2, OTHER), (1, TEXT)]
    assert rule_sets.text_of(row) == TEXT
    assert rule_sets.text_of(row, number=2) == OTHER
    with pytest.raises(Refused, match="no version 4"):
        rule_sets.text_of(row, number=4)


def test_an_edit_that_changes_nothing_is_refused():
    made = make_rule_set()
    with pytest.raises(Refused, match="Nothing changed"):
        rule_sets.edit(made.pk, TEXT, base=1, **by())
    assert RuleSetVersion.objects.count() == 1


def test_who_edits_what_somebody_has_changed_meanwhile_is_told_the_version():
    made = make_rule_set()
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    for text in (OTHER, TEXT, "- level: subject\n"):
        with pytest.raises(SavedMeanwhile, match="saved version 2 meanwhile") as refusal:
            rule_sets.edit(made.pk, text, base=1, **by())
        assert refusal.value.version == 2
    with pytest.raises(Refused, match="no version 9"):
        rule_sets.edit(made.pk, TEXT, base=9, **by())


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_save_at_once_one_wins_and_seven_are_told():
    made, start, told = make_rule_set(), threading.Barrier(8), []

    def save(number):
        start.wait()
        try:
            told.append(rule_sets.edit(made.pk, f"{OTHER}# {number}\n", base=1, **by()).number)
        except SavedMeanwhile as error:
            told.append(str(error.version))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, told)) == ["2"] * 8
    assert told.count(2) == 1
    assert list(made.versions.values_list("number", flat=True)) == [2, 1]
    assert RuleSet.objects.get().version == 2


@pytest.mark.django_db(transaction=True)
def test_of_eight_defaults_chosen_at_once_one_stands(project):
    made = [make_rule_set(f"set {number}", project=project) for number in range(8)]
    start, refused = threading.Barrier(8), []

    def choose(one):
        start.wait()
        try:
            rule_sets.make_default(one.pk, **by())
        except Refused as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=choose, args=(one,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RuleSet.objects.filter(is_default=True).count() == 1
    assert Event.objects.filter(what="rule set default").count() == 8 - len(refused)


def test_a_description_is_no_version():
    made = make_rule_set(description="old")
    rule_sets.describe(made.pk, "new", **by())
    rule_sets.describe(made.pk, "new", **by())
    made.refresh_from_db()
    assert (made.description, made.version, made.versions.count()) == ("new", 1, 1)
    assert Event.objects.filter(what="rule set described").count() == 1


def test_a_new_default_takes_the_place_of_the_old_one_in_its_scope_alone(scopes):
    old = {scope: make_rule_set("old", is_default=True, **where) for scope, where in scopes.items()}
    new = make_rule_set("new", **scopes["group"])
    assert rule_sets.make_default(new.pk, **by()).is_default
    assert set(RuleSet.objects.filter(is_default=True)) == {old["site"], old["project"], new}
    assert not rule_sets.unmake_default(new.pk, **by()).is_default


def test_twice_is_once():
    made = make_rule_set()
    for _ in range(2):
        rule_sets.make_default(made.pk, **by())
    for _ in range(2):
        rule_sets.unmake_default(made.pk, **by())
    for _ in range(2):
        assert rule_sets.archive(made.pk, **by()).archived_at == LATER
    for _ in range(2):
        assert rule_sets.restore(made.pk, **by()).archived_at is None
    said = list(Event.objects.filter(rule_set_id=made.pk).order_by("id").values_list("what", flat=True))
    assert said == [
        "rule set created", "rule set default", "rule set not default", "rule set archived", "rule set restored",
    ]  # fmt: skip


def test_a_default_is_not_archived_and_what_is_archived_is_neither_default_nor_changed(project):
    made = make_rule_set(project=project, is_default=True)
    with pytest.raises(Refused, match="the default of lab/Brain"):
        rule_sets.archive(made.pk, **by())
    rule_sets.unmake_default(made.pk, **by())
    rule_sets.archive(made.pk, **by())
    with pytest.raises(Refused, match="restore it before it becomes the default"):
        rule_sets.make_default(made.pk, **by())
    with pytest.raises(Refused, match="restore it before you change it"):
        rule_sets.edit(made.pk, OTHER, base=1, **by())
    assert not RuleSet.objects.filter(is_default=True).exists()


def test_a_built_in_one_is_read_copied_and_never_changed(project):
    row = rule_sets.find(None, "standard")
    assert (row.id, row.version, row.scope, row.key) == (None, 0, "built-in", "standard")
    assert rule_sets.text_of(row) == BUILT_IN["standard"].text
    assert not rule_sets.may_change(None, row)
    assert list(rule_sets.versions(row)) == []
    made = rule_sets.copy(row, "ours", project=project, **by())
    assert (made.name, made.project, made.versions.get().text) == ("ours", project, BUILT_IN["standard"].text)


def test_two_versions_differ_line_by_line():
    made = make_rule_set()
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    row = rule_sets.find(None, str(made.pk))
    assert rule_sets.difference(row, 1, 2)[-1] == "+- level: session"
    assert rule_sets.difference(row, 2, 2) == []
    with pytest.raises(Refused, match="no version 3"):
        rule_sets.difference(row, 1, 3)


def test_what_is_exported_comes_back_as_it_was(project):
    text = "name: Weekly\ndescription: Every Monday\nrules:\n  - type: dicom  # all\n"
    made = make_rule_set("Weekly MR", text)
    out = rule_sets.export(rule_sets.find(None, str(made.pk)))
    assert (out.file_name, out.text) == ("Weekly MR.rules.yaml", text)
    assert rule_sets.from_file(out.text.encode(), out.file_name) == ("Weekly", "Every Monday", text)
    assert rule_sets.from_file(b"\xef\xbb\xbf" + TEXT.encode(), "x/mine.RULES.yaml") == ("mine", "", TEXT)
    assert rule_sets.from_file(text.encode(), "f", name="Other")[0] == "Other"
    with pytest.raises(Refused, match="no UTF-8 text: byte 3"):
        rule_sets.from_file(b"- \xff", "f.yaml")
    with pytest.raises(BadRules):
        rule_sets.from_file(BAD.encode(), "f.yaml")


def test_a_name_in_the_shell_is_found_where_it_is_unique_or_where_it_is_said(project, scopes):
    made = {scope: make_rule_set("weekly", **where) for scope, where in scopes.items()}
    make_rule_set("once", project=project)
    assert rule_sets.find_named(None, "once").name == "once"
    assert rule_sets.find_named(None, "bids").scope == "built-in"
    assert rule_sets.find_named(None, "weekly", project=project).id == made["project"].pk
    assert rule_sets.find_named(None, "weekly", group=project.group).id == made["group"].pk
    assert rule_sets.find_named(None, str(made["site"].pk)).id == made["site"].pk
    with pytest.raises(Refused, match="several rule sets weekly"):
        rule_sets.find_named(None, "weekly")
    with pytest.raises(Refused, match="There is no rule set odd"):
        rule_sets.find_named(None, "odd")


def test_many_names_are_no_trouble_for_who_makes_one(project, django_assert_max_num_queries):
    for number in range(20):
        make_rule_set(f"set {number}", project=project)
    with django_assert_max_num_queries(10):
        rule_sets.create(NewRuleSet(name="one more", text=TEXT, project=project), **by())
