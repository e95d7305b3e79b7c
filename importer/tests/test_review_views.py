"""The review pages: what they show to whom, what they do, and how fast they are."""

import hashlib
import logging
import re
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hierarchy.models import File, Membership, Role, Session, Subject
from importer import review_queries
from importer.core.methods import FITS, Action
from importer.core.states import ConflictType as T
from importer.models import Alias, Conflict, Decision, Placement, Resolution, StandingRule
from importer.pipeline.resolving import resolve
from importer.review_queries import Choice
from importer.tests.factories import START, make_conflict, make_job, make_placement, make_project
from importer.tests.pipeline.drive import worker
from importer.tests.review.cases import MAKE, decided, plain_file_name, waiting

REVIEW = "/review/"

# Types whose buttons name one place: of several containers, one is chosen first.
PLACING = (Action.REPLACE, Action.RENAME, Action.ALLOW, Action.MERGE)
BUTTONS = [(kind, act) for kind in sorted(MAKE) for act in PLACING if act in FITS[kind] and "multiple" not in kind]


@pytest.fixture
def manager(client, people):
    client.force_login(people.data_manager)
    return client


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


def text(response):
    return response.content.decode()


def many(project, count, *, per_row=8, jobs=20):
    """That many open conflicts, written as rows: causes of `per_row` files each, spread over jobs."""
    made = [make_job(project, status="needs_review", conflict=0, label=f"ST-{n:06}") for n in range(jobs)]
    kinds = list(FITS)
    placements, conflicts = [], []
    for n in range(count):
        row = n // per_row
        placement = Placement(
            job=made[row % jobs], key=hashlib.sha256(f"{project.pk} {n}".encode()).hexdigest(), kind="series",
            first_seq=n, count=1, outcome="conflict", level="acquisition", subject_label=f"P{row:06}",
            session_label="study", acquisition_label=f"{n} - t1", file_name=f"{n} - t1.dicom.zip",
            session_uid=f"1.2.3.{row}",
        )  # fmt: skip
        placements.append(placement)
    Placement.objects.bulk_create(placements, batch_size=2000)
    for n, placement in enumerate(placements):
        row = n // per_row
        kind = kinds[row % len(kinds)]
        conflicts.append(
            Conflict(
                project=project, job=placement.job, placement=placement, type=kind,
                level="file" if kind == T.FILE_NAME else "session",
                upload_path=f"P{row:06}/study/{n} - t1/{n} - t1.dicom.zip", held_key=placement.key,
                cause=hashlib.sha256(f"cause {row}".encode()).hexdigest(), container=f"P{row:06}/study",
                candidates=[{"level": "session", "id": 1, "uid": "1.2", "path": "P/study"}], created_at=START,
                path=f"held/{n}", size=1000, digest="0" * 64, incoming={},
            )
        )  # fmt: skip
    Conflict.objects.bulk_create(conflicts, batch_size=2000)
    return conflicts


def copies(template, number, /, **columns):
    """As many rows like that one, written by the database itself; `i` counts in the expressions for columns."""
    table = template._meta.db_table
    names = [field.column for field in template._meta.concrete_fields]
    values = ", ".join(columns.get(name, f't."{name}"') for name in names)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(connection.ops.quote_name(name) for name in names)}) {numbers} "
            f"SELECT {values} FROM n, {table} t WHERE t.id = {template.pk}"
        )


def very_many(project, count):
    """Open conflicts in rows of eight, of every type, of twenty imports; their numbers begin behind 1,000,000."""
    kinds = list(FITS)
    jobs = [make_job(project, status="needs_review", conflict=0, label=f"ST-{n:06}") for n in range(20)]
    template = make_conflict(
        jobs[0], cause="0", candidates=[{"level": "session", "id": 1, "uid": "1.2", "path": "P/s"}]
    )
    job = f"{jobs[0].pk} + (i / 8) % 20"
    copies(
        template.placement, count, id="1000000 + i", key="'key ' || i", first_seq="i", job_id=job,
        subject_label="'P' || (i / 8)", session_uid="'1.2.3.' || (i / 8)", count="1",
    )  # fmt: skip
    whens = " ".join(f"WHEN {number} THEN '{kind}'" for number, kind in enumerate(kinds))
    copies(
        template, count, id="1000000 + i", placement_id="1000000 + i", job_id=job, held_key="'held ' || i",
        token="gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))",
        type=f"CASE (i / 8) % {len(kinds)} {whens} END", level="'session'", path="'held/' || i",
        cause="'cause, about as long as a digest in hex is ' || (i / 8)",
        container="'P' || (i / 8) || '/study'", upload_path="'P' || (i / 8) || '/study/' || i || ' - t1.dicom.zip'",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return 1_000_000


# The list


@pytest.mark.django_db
def test_a_row_is_one_cause_at_one_container(manager, project):
    many(project, 16)
    page = text(manager.get(REVIEW))
    assert page.count("data-row ") == 2
    assert page.count('strong">8 files') == 2


@pytest.mark.django_db
def test_one_cause_in_two_projects_is_two_rows(manager, people, project):
    other = make_project("lab/Other")
    Membership.objects.create(user=people.data_manager, project=other, role=Role.DATA_MANAGER)
    many(project, 8)
    many(other, 8)
    assert text(manager.get(REVIEW)).count("data-row ") == 2


@pytest.mark.django_db
def test_the_list_holds_only_conflicts_of_projects_that_the_reader_sees(manager, project):
    make_conflict(make_job(make_project("other/Secret")), upload_path="hidden-from-here", cause="1")
    conflict = make_conflict(make_job(project), upload_path="mine", cause="2")
    page = text(manager.get(REVIEW))
    assert f"/review/{conflict.pk}/" in page
    assert "hidden-from-here" not in page
    assert "other/Secret" not in page


@pytest.mark.django_db
def test_a_viewer_sees_what_waits_but_no_button(viewer, project):
    conflict = make_conflict(make_job(project), cause="1")
    for address in (REVIEW, reverse("conflict", args=[conflict.pk])):
        page = text(viewer.get(address))
        assert reverse("review-decide") not in page
        assert 'name="action"' not in page


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["conflict", "conflict-files", "conflict-picture"])
def test_to_a_stranger_a_conflict_does_not_exist(client, people, project, name):
    conflict = make_conflict(make_job(project), cause="1")
    client.force_login(people.stranger)
    assert client.get(reverse(name, args=[conflict.pk])).status_code == 404


@pytest.mark.django_db
def test_who_is_not_signed_in_is_asked_to(client, project):
    for name in ("review", "resolutions", "rules", "aliases"):
        assert client.get(reverse(name)).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 9),
        ({"type": T.UID_PARENT}, 1),
        ({"type": "no such"}, 9),
        ({"level": "file"}, 1),
        ({"q": "P000003/"}, 1),
        ({"q": "1.2.3.4"}, 1),
        ({"status": "decided"}, 0),
        ({"project": 10**25}, 0),
        ({"q": "\0"}, 9),
    ],
)
def test_the_address_says_which_rows_are_shown(manager, project, query, found):
    many(project, 18, per_row=2)
    response = manager.get(REVIEW, query)
    assert text(response).count("data-row ") == found


@pytest.mark.django_db
@pytest.mark.parametrize("window", [1, 40, 1000])
def test_the_pages_of_the_queue_hold_every_row_once(manager, project, monkeypatch, window):
    monkeypatch.setattr(review_queries, "WINDOW", window)
    many(project, 120, per_row=2)
    seen, address = [], REVIEW
    while address:
        page = text(manager.get(address))
        seen += re.findall(r'id="row-(\d+)"', page)
        more = re.search(r'href="([^"]+)" rel="next"', page)
        address = more and more[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 60


@pytest.mark.django_db
@pytest.mark.parametrize("window", [1, 1000])
def test_from_a_conflict_one_gets_to_the_rows_before_and_after_it(manager, project, monkeypatch, window):
    monkeypatch.setattr(review_queries, "WINDOW", window)
    conflicts = many(project, 12, per_row=4)
    last, middle, first = conflicts[3], conflicts[4], conflicts[11]
    page = text(manager.get(reverse("conflict", args=[middle.pk])))
    assert re.search(r'href="/review/(\d+)/" rel="prev"', page)[1] == str(first.pk)
    assert re.search(r'href="/review/(\d+)/" rel="next"', page)[1] == str(last.pk)
    page = text(manager.get(reverse("conflict", args=[last.pk])))
    assert 'rel="next"' not in page


@pytest.mark.django_db
def test_an_empty_queue_says_that_all_is_clear(manager, project):
    assert "All clear" in text(manager.get(REVIEW))
    assert "Widen the search" in text(manager.get(REVIEW, {"q": "nothing"}))


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_rows(manager, project):
    many(project, 9, per_row=1)
    manager.get(REVIEW)
    with CaptureQueriesContext(connection) as few:
        manager.get(REVIEW)
    _more(project)
    with CaptureQueriesContext(connection) as lots:
        manager.get(REVIEW)
    assert len(lots) <= len(few) + 1


def _more(project):
    for number in range(60):
        make_conflict(make_job(project), cause=f"more {number}")


@pytest.mark.django_db
def test_names_from_outside_are_spelled_out(manager, project):
    hostile = "P01/<b>\u202ex"
    conflict = make_conflict(make_job(project), cause="1", container=hostile, upload_path=hostile)
    for address in (REVIEW, reverse("conflict", args=[conflict.pk])):
        page = text(manager.get(address))
        assert "<b>" not in page
        assert "\u202e" not in page


@pytest.mark.django_db
def test_the_bar_counts_what_waits(manager, viewer, project):
    assert "waiting</span>" not in text(viewer.get(reverse("projects")))
    make_conflict(make_job(project), cause="1")
    assert re.search(r"1<span class=\"visually-hidden\"> waiting", text(viewer.get(reverse("projects"))))


@pytest.mark.django_db
def test_the_import_and_the_dashboard_lead_to_the_queue(manager, project):
    job = make_job(project, status="needs_review", conflict=1)
    conflict = make_conflict(job, cause="1")
    page = text(manager.get(reverse("import", args=[job.pk])))
    assert f"{REVIEW}?import={job.pk}" in page
    assert reverse("conflict", args=[conflict.pk]) in page
    assert f'id="tile-review" href="{REVIEW}"' in text(manager.get(reverse("dashboard")))


# One conflict, of every type


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", sorted(MAKE))
def test_the_page_of_a_conflict_names_its_cause_its_matches_and_what_each_action_would_do(
    manager, project, places, tmp_path, kind
):
    MAKE[kind](project, tmp_path)
    conflict = waiting(kind).last()
    page = text(manager.get(reverse("conflict", args=[conflict.pk])))
    assert kind in page
    assert conflict.placement.reason in page.replace("&#x27;", "'")
    for candidate in conflict.candidates:
        assert candidate.get("path", "") in page
        assert candidate.get("uid", "") in page
    assert conflict.digest in page
    for action in FITS[kind]:
        if action != Action.MERGE or conflict.placement.kind == "series":
            assert f'value="{action}"' in page
    assert set(re.findall(r'name="action" value="(\w+)"', page)) <= set(FITS[kind])
    assert text(manager.get(REVIEW)).count("data-row ") == 1


@pytest.mark.django_db(transaction=True)
def test_tags_that_differ_come_first(manager, project, places, tmp_path):
    MAKE[T.UID_PARENT](project, tmp_path)
    page = text(manager.get(reverse("conflict", args=[waiting().first().pk])))
    assert "PatientID" in page
    assert page.index("PatientID") < page.index("The same on both sides") < page.index(">Modality")


@pytest.mark.django_db(transaction=True)
def test_held_bytes_that_are_no_dicom_are_answered_in_words(manager, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    conflict = waiting().get()
    page = text(manager.get(reverse("conflict", args=[conflict.pk])))
    assert "No picture" in page
    assert "as version 2" in page
    picture = manager.get(reverse("conflict-picture", args=[conflict.pk]))
    assert picture["Content-Type"] == "image/svg+xml"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "action"), BUTTONS)
@pytest.mark.usefixtures("places")
def test_a_button_says_where_the_file_then_stands(manager, project, tmp_path, kind, action):
    MAKE[kind](project, tmp_path)
    conflict = waiting(kind).last()
    page = text(manager.get(reverse("conflict", args=[conflict.pk])))
    said = re.search(rf'value="{action}".*?offer-path">→ (.*?)</span>', page, re.DOTALL)[1]
    decided(waiting(kind), action.value)
    conflict.refresh_from_db()
    assert conflict.status == "resolved", conflict.action_error
    promised = said.partition(",")[0].partition(" as ")[0].removesuffix("…")
    assert conflict.action_result.startswith(promised)


# Deciding


def post(client, **fields):
    return client.post(reverse("review-decide"), fields)


@pytest.mark.django_db(transaction=True)
def test_a_small_decision_is_carried_out_at_once(manager, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    response = post(manager, row=waiting().get().pk, action="update")
    assert response["Location"] == REVIEW
    assert File.objects.get().version == 2
    page = text(manager.get(REVIEW))
    assert "Your last decision: Update existing" in page
    assert "data-undo" in page


@pytest.mark.django_db(transaction=True)
def test_the_last_decision_can_be_taken_back_from_the_list(manager, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    post(manager, row=waiting().get().pk, action="update")
    manager.post(reverse("resolution-undo", args=[Resolution.objects.get().pk]), {"next": REVIEW})
    assert File.objects.get().version == 1
    assert waiting().count() == 1
    page = text(manager.get(REVIEW))
    assert "Taken back: 1" in page
    assert "data-undo" not in page


@pytest.mark.django_db(transaction=True)
def test_a_single_decision_can_be_taken_back_from_its_page(manager, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    conflict = waiting().get()
    post(manager, row=conflict.pk, action="keep-all")
    page = text(manager.get(reverse("conflict", args=[conflict.pk])))
    undo = reverse("decision-undo", args=[Decision.objects.get().pk])
    assert undo in page
    manager.post(undo)
    assert waiting().count() == 1
    refused = manager.post(undo, follow=True)
    assert "could not be taken back" in text(refused)


@pytest.mark.django_db(transaction=True)
def test_a_chosen_container_is_the_one_that_is_used(manager, project, places, tmp_path):
    MAKE[T.MULTIPLE_UID](project, tmp_path)
    conflict = waiting().get()
    wanted = Session.objects.get(subject__label="P09")
    post(manager, row=conflict.pk, action="replace_existing", target=wanted.pk)
    conflict.refresh_from_db()
    assert conflict.action_result.startswith("P09/")


@pytest.mark.django_db(transaction=True)
def test_update_without_a_choice_of_several_is_refused_in_words(manager, project, places, tmp_path):
    MAKE[T.MULTIPLE_UID](project, tmp_path)
    response = manager.post(reverse("review-decide"), {"row": waiting().get().pk, "action": "update"}, follow=True)
    assert "say which one" in text(response)
    assert waiting().count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_missing_label_is_asked_for_and_serves_the_whole_delivery(manager, project, places, tmp_path):
    MAKE[T.LABEL_MISSING](project, tmp_path)
    row = waiting().last().pk
    asking = text(post(manager, row=row, action="assign_label"))
    assert 'name="label-subject"' in asking
    assert 'name="label-session"' not in asking
    assert waiting().count() == 2
    post(manager, row=row, action="assign_label", **{"label-subject": "P77", "sure": "1"})
    assert waiting().count() == 0
    assert list(Subject.objects.values_list("label", flat=True)) == ["P77"]


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["viewer", "uploader"])
def test_who_is_no_data_manager_decides_nothing(client, people, project, who):
    conflict = make_conflict(make_job(project, status="needs_review"), cause="1")
    client.force_login(getattr(people, who))
    for fields in ({"row": conflict.pk}, {"all": "1"}):
        post(client, action="skip", **fields)
    assert Resolution.objects.count() == 0
    assert waiting().count() == 1


@pytest.mark.django_db
def test_all_that_match_are_summed_up_before_anything_happens(manager, project):
    many(project, 90, per_row=2)
    response = post(manager, action="update", all="1", upto=Conflict.objects.latest("id").pk)
    page = text(response)
    assert response.status_code == 200
    assert "Update existing: 90 files" in page
    assert "More than one container fits" in page
    assert Resolution.objects.count() == 0


@pytest.mark.django_db
def test_the_filter_of_the_list_holds_for_all_that_match(manager, project):
    many(project, 90, per_row=2)
    post(manager, action="skip", all="1", type=T.UID_PARENT, sure="1")
    assert set(Decision.objects.values_list("conflict__type", flat=True)) == {T.UID_PARENT}


@pytest.mark.django_db
def test_what_came_after_the_page_was_drawn_is_left_alone(manager, project):
    seen = make_conflict(make_job(project), cause="1")
    later = make_conflict(make_job(project), cause="2")
    post(manager, action="skip", all="1", upto=seen.pk, sure="1")
    assert not Decision.objects.filter(conflict=later).exists()
    assert Decision.objects.filter(conflict=seen).exists()


@pytest.mark.django_db
def test_a_large_decision_shows_its_progress_and_can_be_stopped(manager, project):
    many(project, 60, per_row=60)
    response = post(manager, action="skip", all="1", sure="1")
    act = Resolution.objects.get()
    assert response["Location"] == reverse("resolution", args=[act.pk])
    page = text(manager.get(response["Location"]))
    assert "60 files" in page
    assert "data-poll" in page
    manager.post(reverse("resolution-cancel", args=[act.pk]))
    resolve(act.pk, worker=worker())
    page = text(manager.get(reverse("resolution-progress", args=[act.pk])))
    assert "Stopped" in page
    assert "data-poll" not in page
    assert waiting().count() == 60


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_carried_out_is_listed_with_its_reason(manager, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    (places.quarantine / waiting().get().path).unlink()
    post(manager, row=waiting().get().pk, action="update")
    page = text(manager.get(reverse("resolution", args=[Resolution.objects.get().pk])))
    assert "The held bytes are not in quarantine any more" in page
    assert "1 could not be" in text(manager.get(REVIEW))


@pytest.mark.django_db
def test_to_a_stranger_an_act_of_deciding_does_not_exist(client, people, project):
    conflict = make_conflict(make_job(project), cause="1")
    client.force_login(people.data_manager)
    post(client, row=conflict.pk, action="skip")
    act = Resolution.objects.get()
    client.force_login(people.stranger)
    for name in ("resolution", "resolution-progress"):
        assert client.get(reverse(name, args=[act.pk])).status_code == 404
    for name in ("resolution-undo", "resolution-cancel"):
        assert client.post(reverse(name, args=[act.pk])).status_code == 404
    decision = Decision.objects.get()
    assert client.post(reverse("decision-undo", args=[decision.pk])).status_code == 404


@pytest.mark.django_db
def test_a_viewer_takes_nothing_back(client, people, project, places):
    make_conflict(make_job(project, status="needs_review", conflict=0), cause="1")
    act = decided(waiting(), "skip")
    client.force_login(people.viewer)
    client.post(reverse("resolution-undo", args=[act.pk]))
    assert client.post(reverse("decision-undo", args=[Decision.objects.get().pk])).status_code == 403
    assert waiting().count() == 0


@pytest.mark.django_db
def test_nobody_is_led_away_to_another_site(manager, project):
    conflict = make_conflict(make_job(project), cause="1")
    response = post(manager, row=conflict.pk, action="skip", next="https://evil.example/")
    assert "evil" not in response["Location"]


# Rules and aliases


@pytest.mark.django_db(transaction=True)
def test_a_rule_is_made_from_a_decision_and_says_what_it_would_have_done(manager, project, places, tmp_path):
    MAKE[T.LABEL_UID](project, tmp_path)
    conflict = waiting().last()
    post(manager, row=conflict.pk, action="keep-all")
    page = text(manager.get(reverse("conflict", args=[conflict.pk])))
    address = re.search(r'href="(/review/rules/\?[^"]+)"', page)[1].replace("&amp;", "&")
    preview = text(manager.get(address))
    assert "would have decided about 2 conflicts" in preview
    assert StandingRule.objects.count() == 0
    fields = {"project": project.pk, "type": T.LABEL_UID, "action": "rename_incoming"}
    manager.post(reverse("rule-set"), {**fields, "enabled": "1"})
    assert StandingRule.objects.get().enabled
    manager.post(reverse("rule-set"), {**fields, "enabled": "0"})
    assert not StandingRule.objects.get().enabled
    assert "Switch on" in text(manager.get(reverse("rules")))


@pytest.mark.django_db
def test_a_rule_that_cannot_be_is_refused_in_words(manager, project):
    for fields in ({"type": "nonsense"}, {"type": T.LABEL_MISSING}, {"type": T.FILE_NAME, "action": "dance"}):
        page = manager.post(
            reverse("rule-set"), {"project": project.pk, "action": "retry", "enabled": "1"} | fields, follow=True
        )
        assert page.status_code == 200
    assert StandingRule.objects.count() == 0


@pytest.mark.django_db
def test_a_viewer_makes_no_rule(viewer, project):
    fields = {"project": project.pk, "type": T.FILE_NAME, "action": "skip", "enabled": "1"}
    assert viewer.post(reverse("rule-set"), fields).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("places")
def test_an_alias_can_be_forgotten(client, people, project, tmp_path):
    client.force_login(people.data_manager)
    MAKE[T.LABEL_UID](project, tmp_path)
    post(client, row=waiting().last().pk, action="keep-all")
    alias = Alias.objects.get()
    assert "P01/ROUTINE_1" in text(client.get(reverse("aliases")))
    client.force_login(people.viewer)
    assert client.post(reverse("alias-forget", args=[alias.pk])).status_code == 403
    client.force_login(people.data_manager)
    client.post(reverse("alias-forget", args=[alias.pk]))
    assert Alias.objects.count() == 0


# Speed


@pytest.mark.slow
@pytest.mark.django_db
def test_a_hundred_thousand_open_conflicts_are_looked_through_quickly(manager, project):
    first = very_many(project, 100_000)
    addresses = {
        "first page": REVIEW,
        "one type": f"{REVIEW}?type={T.UID_PARENT}",
        "search": f"{REVIEW}?q=P777",
        "deep": f"{REVIEW}?after={first + 50_000}",
        "one conflict": reverse("conflict", args=[first + 50_000]),
        "files of a row": reverse("conflict-files", args=[first + 50_000]),
    }
    took = {}
    for name, address in addresses.items():
        manager.get(address)
        start = time.perf_counter()
        assert manager.get(address).status_code == 200
        took[name] = round((time.perf_counter() - start) * 1000)
    assert max(took.values()) < 1500, took
    logging.getLogger(__name__).warning("%s: milliseconds %s", connection.vendor, took)


@pytest.mark.django_db
def test_rows_that_are_no_longer_open_are_found_among_the_decided(manager, project):
    conflict = make_conflict(
        make_job(project), cause="1", status="resolved", action="reject_incoming", resolved_by="user ada@example.org",
        resolved_at=timezone.now(), placement=make_placement(make_job(project), outcome="skipped"),
    )  # fmt: skip
    page = text(manager.get(REVIEW, {"status": "decided"}))
    assert f'id="row-{conflict.pk}"' in page
    assert "Skip by user ada@example.org" in page
    assert review_queries.row_page(None, Choice()).rows == []
