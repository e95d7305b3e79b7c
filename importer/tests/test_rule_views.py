"""Pages of rules: what they show to whom, and what they do."""

import json
import logging
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from hierarchy.models import Group, Membership, Project
from hierarchy.tests.factories import NOW
from importer import rule_sets, samples
from importer.core.rules.samples import EXAMPLES
from importer.models import RuleSample, RuleSet, RuleSetVersion
from importer.rule_drafts import scopes
from importer.tests.core.made import dataset, file_of
from importer.tests.factories import make_job

pytestmark = pytest.mark.django_db

GOOD = "- name: Images\n  type: dicom\n"
BROKEN = "- type: dicom\n  inculde: path=~*.dcm\n"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def manager(client, people):
    client.force_login(people.data_manager)
    return client


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def stranger(client, people):
    client.force_login(people.stranger)
    return client


@pytest.fixture
def kept(project, people):
    return make(people, project=project)


def make(people, name="weekly", text=GOOD, **scope):
    new = rule_sets.NewRuleSet(name=name, text=text, description="Every Monday", **scope)
    return rule_sets.create(new, actor=people.site_admin, who="user admin@example.org", now=NOW)


def next_version(kept, people, text):
    base = RuleSet.objects.get(pk=kept.pk).version
    return rule_sets.edit(
        kept.pk, text, base=base, actor=people.site_admin, who="user b@example.org", now=NOW + timedelta(days=1)
    )


def text(response):
    return response.content.decode()


def page(kept):
    return reverse("rule-set-page", args=[kept.pk])


# The list


def test_the_list_has_what_is_built_in_and_what_the_reader_sees(viewer, kept, people):
    elsewhere = Project.objects.create(group=Group.objects.create(name="other"), label="Secret")
    make(people, name="unseen set", project=elsewhere)
    make(people, name="for all")
    said = text(viewer.get("/rule-sets/"))
    assert all(word in said for word in ("standard", "dicom-only", "by-path", "bids", "weekly", "for all", "lab/Brain"))
    assert "unseen set" not in said


def test_the_list_of_a_stranger_says_what_to_do(stranger, kept):
    said = text(stranger.get("/rule-sets/"))
    assert "weekly" not in said
    assert "No rules of your own yet" in said


def test_the_default_is_marked(viewer, kept, people):
    rule_sets.make_default(kept.pk, actor=people.site_admin, who="system", now=NOW)
    assert ">Default<" in text(viewer.get("/rule-sets/"))


def test_what_is_archived_lies_behind_a_link(viewer, kept, people):
    assert "?archived=1" not in text(viewer.get("/rule-sets/"))
    rule_sets.archive(kept.pk, actor=people.site_admin, who="system", now=NOW)
    said = text(viewer.get("/rule-sets/"))
    assert "weekly" not in said
    assert "?archived=1" in said
    assert "weekly" in text(viewer.get("/rule-sets/?archived=1"))


def test_the_list_is_narrowed_by_scope_and_words(viewer, kept, people):
    make(people, name="for all")
    assert "weekly" not in text(viewer.get("/rule-sets/?scope=site"))
    assert "for all" not in text(viewer.get("/rule-sets/?scope=project"))
    assert "for all" in text(viewer.get("/rule-sets/?q=for"))
    assert "No such rule set" in text(viewer.get("/rule-sets/?q=zzz"))


def test_the_list_goes_on_behind_fifty(viewer, people):
    RuleSet.objects.bulk_create(RuleSet(name=f"set {n:03}", created_at=NOW) for n in range(51))
    first = viewer.get("/rule-sets/")
    assert "set 049" in text(first)
    assert "set 050" not in text(first)
    assert "set 050" in text(viewer.get(first.context["page"].next_url))


def test_the_list_asks_as_often_for_many_as_for_few(viewer, people, django_assert_max_num_queries):
    for n in range(12):
        make(people, name=f"set {n}")
    with django_assert_max_num_queries(12):
        viewer.get("/rule-sets/")


# One rule set


def test_a_page_shows_its_text_who_saved_it_and_where_it_holds(viewer, kept, project):
    version = RuleSetVersion.objects.get()
    make_job(project, label="ST-000001", rules="weekly", rules_version=version)
    said = text(viewer.get(page(kept)))
    assert all(word in said for word in ("type: dicom", "admin@example.org", "ST-000001", "lab/Brain"))


@pytest.mark.parametrize("name", ["standard", "dicom-only", "by-path", "bids"])
def test_what_is_built_in_has_a_page_and_nothing_to_change(manager, name):
    said = text(manager.get(f"/rule-sets/{name}/"))
    assert "/change" not in said
    assert "only copied" in said


@pytest.mark.parametrize("address", ["", "edit", "export", "?version=9"])
def test_whoever_may_not_see_a_rule_set_finds_nothing_there(stranger, kept, address):
    assert stranger.get(f"{page(kept)}{address}").status_code == 404


@pytest.mark.parametrize("key", ["0", "999999", "nonsense", "9" * 30, "²"])
def test_what_is_not_there_is_not_found(viewer, key):
    assert viewer.get(f"/rule-sets/{key}/").status_code == 404


def test_an_older_version_says_that_it_is_one(viewer, kept, people):
    next_version(kept, people, GOOD + "- level: project\n")
    said = text(viewer.get(f"{page(kept)}?version=1"))
    assert "This is version 1" in said
    assert "level: project" not in said


def test_a_version_shows_what_it_changed(viewer, kept, people):
    next_version(kept, people, GOOD.replace("Images", "Pictures"))
    shown = viewer.get(f"{page(kept)}?version=2&against=1").context["difference"]
    assert [(one.kind, one.text) for one in shown["lines"][1:]] == [
        ("gone", "- name: Images"), ("added", "- name: Pictures"), ("same", "  type: dicom"),
    ]  # fmt: skip


def test_what_somebody_typed_comes_out_escaped(viewer, people):
    kept = make(people, text=f"# {HOSTILE}\n{GOOD}")
    RuleSet.objects.update(name=f"x{HOSTILE}", description=HOSTILE)
    for address in ("/rule-sets/", page(kept), f"/rule-sets/try?from={kept.pk}"):
        said = text(viewer.get(address))
        assert "<script>alert" not in said
        assert "&lt;script&gt;alert(1)" in said


@pytest.mark.parametrize(
    ("do", "is_so"),
    [
        ("make-default", lambda kept: kept.is_default),
        ("archive", lambda kept: kept.archived_at is not None),
    ],
)
def test_a_data_manager_changes_it(manager, kept, do, is_so):
    assert manager.post(f"{page(kept)}change", {"do": do}).status_code == 302
    kept.refresh_from_db()
    assert is_so(kept)


def test_a_default_is_not_archived_and_the_page_says_why(manager, kept):
    manager.post(f"{page(kept)}change", {"do": "make-default"})
    response = manager.post(f"{page(kept)}change", {"do": "archive"}, follow=True)
    assert "take that away first" in text(response)


def test_what_is_archived_is_restored(manager, kept):
    manager.post(f"{page(kept)}change", {"do": "archive"})
    manager.post(f"{page(kept)}change", {"do": "restore"})
    kept.refresh_from_db()
    assert kept.archived_at is None


def test_a_viewer_changes_nothing(viewer, kept):
    assert viewer.post(f"{page(kept)}change", {"do": "archive"}).status_code == 403
    assert "/change" not in text(viewer.get(page(kept)))
    assert viewer.get(f"{page(kept)}edit").status_code == 403


def test_there_are_no_other_verbs(manager, kept):
    assert manager.post(f"{page(kept)}change", {"do": "delete"}).status_code == 404
    assert manager.get(f"{page(kept)}change").status_code == 405


@pytest.mark.parametrize(
    "address", ["/rule-sets/new", "/rule-sets/check", "/rule-sets/from-names", "/rule-sets/1/change"]
)
def test_a_form_of_somebody_elses_page_is_refused(people, kept, address):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.site_admin)
    assert client.post(address, {"text": GOOD, "do": "save"}).status_code == 403


@pytest.mark.parametrize(
    "address", ["/rule-sets/", "/rule-sets/try", "/rule-sets/from-names", "/rule-sets/schema.json"]
)
def test_who_is_not_signed_in_is_sent_to_sign_in(client, address):
    assert client.get(address).url.startswith("/sign-in/")


def test_the_text_is_exported_as_it_was_written(viewer, people):
    kept = make(people, text=f"# Grüße\n{GOOD}", name="weekly (1)")
    response = viewer.get(f"{page(kept)}export")
    assert text(response) == f"# Grüße\n{GOOD}"
    assert response.headers["Content-Disposition"] == 'attachment; filename="weekly__1_.rules.yaml"'


def test_the_schema_is_there_for_editors(viewer):
    assert json.loads(viewer.get("/rule-sets/schema.json").content)["title"] == "Pratique rules"


# Writing


def test_a_new_rule_set_is_kept_where_its_writer_may(manager, project):
    said = {"do": "save", "text": GOOD.replace("\n", "\r\n"), "name": "daily", "scope": f"project-{project.pk}"}
    response = manager.post("/rule-sets/new", said)
    made = RuleSet.objects.get(name="daily")
    assert response.url == page(made)
    assert (made.project, made.versions.get().text, made.versions.get().who) == (
        project, GOOD, "user data_manager@example.org",
    )  # fmt: skip


@pytest.mark.parametrize("scope", ["", "group-1", "project-999", "nonsense"])
def test_nothing_is_kept_where_its_writer_may_not(manager, scope):
    response = manager.post("/rule-sets/new", {"do": "save", "text": GOOD, "name": "daily", "scope": scope})
    assert "Choose where the rule set is to be kept" in text(response)
    assert not RuleSet.objects.exists()


def test_whoever_keeps_no_rules_of_the_site_is_refused(manager):
    assert manager.post("/rule-sets/new", {"do": "save", "text": GOOD, "name": "x", "scope": "site"}).status_code == 403


def test_broken_rules_are_not_kept_and_stay_on_the_page(manager, project):
    said = {"do": "save", "text": BROKEN, "name": "daily", "scope": f"project-{project.pk}"}
    shown = text(manager.post("/rule-sets/new", said))
    assert "Not saved: correct 1 mistake first." in shown
    assert "inculde: path=~*.dcm" in shown
    assert "Line 2, column 3" in shown
    assert not RuleSet.objects.exists()


def test_an_edit_is_a_new_version(manager, kept):
    changed = GOOD + "- level: project\n"
    manager.post(f"{page(kept)}edit", {"do": "save", "text": changed, "base": 1, "description": "Tuesdays"})
    kept.refresh_from_db()
    assert (kept.version, kept.description) == (2, "Tuesdays")
    assert kept.versions.get(number=2).text == changed


def test_another_description_alone_is_no_new_version(manager, kept):
    manager.post(f"{page(kept)}edit", {"do": "save", "text": GOOD, "base": 1, "description": "Tuesdays"})
    kept.refresh_from_db()
    assert (kept.version, kept.description) == (1, "Tuesdays")


def test_an_edit_never_overwrites_what_somebody_saved_meanwhile_unseen(manager, kept, people):
    next_version(kept, people, GOOD + "# theirs\n")
    mine = {"do": "save", "text": GOOD + "# mine\n", "base": 1}
    said = text(manager.post(f"{page(kept)}edit", mine))
    assert "Somebody saved version 2 meanwhile" in said
    assert "# mine" in said
    assert 'name="base" value="2"' in said
    assert kept.versions.count() == 2


def test_a_viewer_tries_rules_and_is_told_who_keeps_them(viewer):
    said = text(viewer.get("/rule-sets/new"))
    assert 'value="save"' not in said
    assert "data manager" in said


def test_a_copy_begins_with_the_text_of_another(manager, kept):
    said = manager.get(f"/rule-sets/new?from={kept.pk}")
    assert said.context["draft"].text == GOOD
    assert said.context["draft"].name == ""


def test_a_copy_of_what_the_reader_does_not_see_is_not_found(stranger, kept):
    assert stranger.get(f"/rule-sets/try?from={kept.pk}").status_code == 404


def test_a_file_opens_in_the_editor_broken_or_not(manager):
    file = SimpleUploadedFile("my.rules.yaml", BROKEN.encode())
    response = manager.post("/rule-sets/new", {"do": "open", "file": file})
    assert (response.context["draft"].text, response.context["draft"].name) == (BROKEN, "my")
    assert "Line 2, column 3" in text(response)
    assert not RuleSet.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff\xfe\x00", "This file is no text"), (b"x" * 1_000_001, "too large to be rules")]
)
def test_a_file_that_cannot_be_rules_says_so(manager, content, said):
    response = manager.post("/rule-sets/new", {"do": "open", "file": SimpleUploadedFile("a.yaml", content)})
    assert said in text(response)


def test_the_scopes_are_those_that_a_person_manages(people, project):
    group = project.group
    assert scopes(people.viewer) == []
    assert scopes(people.data_manager) == [(f"project-{project.pk}", "Project lab/Brain")]
    assert [value for value, _ in scopes(people.site_admin)] == ["site", f"group-{group.pk}", f"project-{project.pk}"]
    Membership.objects.create(user=people.stranger, group=group, role="admin")
    assert [value for value, _ in scopes(people.stranger)] == [f"group-{group.pk}", f"project-{project.pk}"]


# Trying


def checked(client, **said):
    return client.post("/rule-sets/check", {"text": GOOD} | said)


def test_a_check_says_where_each_file_goes_and_why_other_rules_did_not_take_it(viewer):
    said = text(checked(viewer, text=GOOD + "- name: Notes\n  include: ext=txt\n  level: project\n"))
    assert "t1_mprage.dicom.zip" in said
    assert "Notes" in said
    assert 'id="problems"' in said


def test_a_check_of_broken_rules_says_where_and_leaves_the_results(viewer):
    response = checked(viewer, text=BROKEN)
    assert 'data-line="2" data-column="3"' in text(response)
    assert "Did you mean include?" in text(response)
    assert response.headers["HX-Reswap"] == "none"


def test_rules_that_are_too_long_say_so(viewer):
    assert "longer than 64 KiB" in text(checked(viewer, text="# " + "x" * 70_000))


def test_only_what_was_not_taken_is_shown_on_request(viewer):
    rows = checked(viewer, only="missed").context["tried"].trial.rows
    assert len(rows) == sum(not fact.is_dicom for fact in EXAMPLES)


def test_a_sample_is_shown_fifty_files_at_a_time(viewer, people):
    made = samples.from_paths("\n".join(f"{n:03}.txt" for n in range(70)), actor=people.viewer, now=NOW)
    first = checked(viewer, sample=made.pk)
    assert 'value="50"' in text(first)
    assert len(checked(viewer, sample=made.pk, start=50).context["tried"].trial.rows) == 20


def test_uploaded_images_are_tried_and_the_rules_stay(viewer, people):
    file = SimpleUploadedFile("1.dcm", file_of(dataset()))
    said = {"do": "upload", "text": GOOD + "# mine\n", "files": [file], "upload_paths": "P/1.dcm"}
    response = viewer.post("/rule-sets/try", said)
    assert "P01" in text(response)
    assert "3 - t1.dicom.zip" in text(response)
    assert "# mine" in text(response)
    assert RuleSample.objects.get().owner == people.viewer


def test_pasted_paths_are_tried(viewer):
    response = viewer.post("/rule-sets/try", {"do": "paste", "text": GOOD, "paths": "a/b/c/1.nii"})
    assert "a/b/c/1.nii" in text(response)


def test_too_much_is_refused_with_a_sentence(viewer):
    files = [SimpleUploadedFile(f"{n}", b"x") for n in range(51)]
    assert "51 files are too many" in text(
        viewer.post("/rule-sets/try", {"do": "upload", "text": GOOD, "files": files})
    )


def test_nobody_tries_rules_on_somebody_elses_sample(viewer, people):
    made = samples.from_paths("secret/path.txt", actor=people.uploader, now=NOW)
    for response in (checked(viewer, sample=made.pk), viewer.get(f"/rule-sets/try?sample={made.pk}")):
        assert "secret/path.txt" not in text(response)


def test_a_sample_is_forgotten_when_its_owner_says_so(viewer, people):
    made = samples.from_paths("a.txt", actor=people.viewer, now=NOW)
    viewer.post("/rule-sets/try", {"do": "forget", "text": GOOD, "sample": made.pk})
    assert not RuleSample.objects.exists()


def test_hostile_names_and_values_come_out_escaped(viewer):
    file = SimpleUploadedFile("1.dcm", file_of(dataset(PatientID="<b>bold</b>", SeriesDescription="<img src=x>")))
    said = {"do": "upload", "text": GOOD, "files": [file], "upload_paths": f"{HOSTILE.replace('/', '')}/1.dcm"}
    shown = text(viewer.post("/rule-sets/try", said))
    assert "<b>bold" not in shown
    assert "<img src" not in shown
    assert "<script>alert" not in shown
    assert "\u202e" not in shown


def test_no_value_of_a_sample_reaches_a_log(viewer, caplog):
    caplog.set_level(logging.DEBUG, logger="importer")
    file = SimpleUploadedFile("1.dcm", file_of(dataset(PatientID="SECRET")))
    viewer.post("/rule-sets/try", {"do": "upload", "text": GOOD, "files": [file]})
    checked(viewer, sample=RuleSample.objects.get().pk, text=BROKEN)
    assert "SECRET" not in caplog.text


def test_trying_asks_as_often_for_many_files_as_for_few(viewer, people, django_assert_max_num_queries):
    made = samples.from_paths("\n".join(f"{n}" for n in range(5000)), actor=people.viewer, now=NOW)
    with django_assert_max_num_queries(5):
        checked(viewer, sample=made.pk)


# From names

NAMES = "\n".join(
    f"sub-{s:02}/ses-{v}/{a}/{n}.nii" for s in (1, 2) for v in (1, 2) for a in ("T1", "T2") for n in (1, 2)
)


@pytest.fixture
def named(viewer):
    address = viewer.post("/rule-sets/from-names", {"do": "paste", "paths": NAMES}).url
    return viewer.get(address)


def test_names_become_proposals_that_cover_them(named):
    best = named.context["proposals"][0].proposal
    assert (best.covered, best.total) == (16, 16)


def test_a_list_of_names_may_come_as_a_file(viewer):
    listing = SimpleUploadedFile("names.txt", NAMES.encode())
    response = viewer.post("/rule-sets/from-names", {"do": "paste", "list": listing}, follow=True)
    assert response.context["sample"].files == 16


def test_no_names_is_said(viewer):
    response = viewer.post("/rule-sets/from-names", {"do": "paste", "paths": ""}, follow=True)
    assert "one per line" in text(response)


def test_a_row_that_is_corrected_changes_what_is_proposed_and_is_remembered(viewer, named):
    path, sample = "sub-01/ses-1/T1/1.nii", named.context["sample"].pk
    row = {"path": path, "was": json.dumps(("x", "y", "z")), "subject": "01", "session": "ses-1", "acquisition": "T1"}
    response = viewer.post("/rule-sets/from-names", {"do": "propose", "sample": sample, **row})
    (example,) = response.context["examples"]
    assert example["example"].labels == ("01", "ses-1", "T1")
    given = {row.path: row for row in response.context["proposals"][0].proposal.rows}
    assert given[path].subject == "01"
    again = viewer.post("/rule-sets/from-names", {"do": "propose", "sample": sample, "example": example["json"]})
    assert len(again.context["examples"]) == 1
    gone = viewer.post("/rule-sets/from-names", {"sample": sample, "example": example["json"], "drop": path})
    assert gone.context["examples"] == []


def test_a_row_that_nobody_changed_is_no_example(viewer, named):
    row = {"path": "a", "was": json.dumps(("s", "v", "a")), "subject": "s", "session": "v", "acquisition": "a"}
    response = viewer.post("/rule-sets/from-names", {"sample": named.context["sample"].pk, **row})
    assert response.context["examples"] == []


@pytest.mark.parametrize("example", ["", "{", "[]", '["a", 1, "b", "c"]', "null"])
def test_examples_that_no_page_wrote_are_not_heard(viewer, named, example):
    response = viewer.post("/rule-sets/from-names", {"sample": named.context["sample"].pk, "example": example})
    assert response.context["examples"] == []


def test_what_nothing_can_give_is_said(viewer, named):
    example = json.dumps(["sub-01/ses-1/T1/1.nii", "nowhere", "in", "it"])
    response = viewer.post("/rule-sets/from-names", {"sample": named.context["sample"].pk, "example": example})
    assert response.status_code == 200
    assert not response.context["proposals"] or response.context["proposals"][0].proposal.rows[0].subject == "nowhere"


def test_proposed_rules_open_in_the_editor_with_the_same_sample(viewer, named):
    said = {"do": "open", "text": GOOD, "sample": named.context["sample"].pk}
    draft = viewer.post("/rule-sets/new", said).context["draft"]
    assert (draft.text, draft.sample) == (GOOD, named.context["sample"])


def test_more_than_a_form_may_hold_is_answered_with_a_page(viewer, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = viewer.post("/rule-sets/try", {"do": "paste", "text": GOOD, "paths": "x" * 2_000})
    assert response.status_code == 400
    assert "Go back and send less" in text(response)
