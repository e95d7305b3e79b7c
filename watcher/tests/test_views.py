import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from hierarchy.models import Membership
from importer.core.states import JobStatus
from importer.tests.factories import make_item, make_job, make_placement, make_project
from watcher.health import SILENT_AFTER, Health
from watcher.states import BatchStatus, Completion
from watcher.tests.factories import make_batch, make_drop_folder, make_watch
from watcher.wording import BATCH, COMPLETION, HEALTH

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def site_admin(client, people):
    client.force_login(people.site_admin)
    return client


def text(response) -> str:
    return response.content.decode()


def said(**changes) -> dict:
    return {"mode": "events", "healthy": True, "reason": "", "scanned_at": timezone.now().isoformat(), **changes}


def health(client) -> Health:
    return client.get(reverse("dashboard")).context["watch"].health


# The watcher


def test_without_a_heartbeat_the_dashboard_says_that_nobody_watches_and_how_to_start(viewer):
    assert health(viewer) == Health.STOPPED
    assert "manage.py start_watcher" in text(viewer.get(reverse("dashboard")))


def test_a_watcher_that_was_stopped_is_not_taken_for_a_silent_one(viewer):
    make_watch(beat_at=None, owner="", pid=None)
    assert health(viewer) == Health.STOPPED


def test_a_fresh_heartbeat_means_that_somebody_watches(viewer):
    make_watch(beat_at=timezone.now())
    assert health(viewer) == Health.HEALTHY


def test_an_old_heartbeat_means_that_the_watcher_does_not_answer(viewer):
    make_watch(beat_at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))
    assert health(viewer) == Health.SILENT
    assert "Look at its log" in text(viewer.get(reverse("dashboard")))


def test_one_folder_in_trouble_shows_on_the_watcher_and_on_the_folder_with_its_reason(viewer, project):
    good, bad = make_drop_folder(), make_drop_folder()
    make_watch(beat_at=timezone.now(), roots={good: said(), bad: said(healthy=False, reason="Permission denied")})
    response = viewer.get(reverse("dashboard"))
    assert response.context["watch"].health == Health.DEGRADED
    assert [row.health for row in response.context["folders"]] == [Health.HEALTHY, Health.DEGRADED]
    assert "Permission denied" in text(response)
    assert "Permission denied" in text(viewer.get(reverse("drop-folder", args=[bad.pk])))


def test_trouble_with_a_folder_that_the_reader_does_not_see_is_no_news_for_them(viewer, project):
    hidden = make_drop_folder(project=None)
    make_watch(beat_at=timezone.now(), roots={hidden: said(healthy=False, reason="Permission denied")})
    response = viewer.get(reverse("dashboard"))
    assert response.context["watch"].health == Health.HEALTHY
    assert "Permission denied" not in text(response)


def test_what_a_dead_watcher_said_last_is_not_shown_as_news(viewer):
    folder = make_drop_folder()
    settling = [{"name": "ST-1.tmp", "since": timezone.now().isoformat(), "why": "has a temporary name"}]
    make_watch(beat_at=timezone.now() - timedelta(hours=1), roots={folder: said(settling=settling)})
    response = viewer.get(reverse("dashboard"))
    assert response.context["folders"][0].health == Health.SILENT
    assert "ST-1.tmp" not in text(response)


def test_what_settles_is_named_with_the_reason_why_it_waits(viewer):
    folder = make_drop_folder()
    settling = [{"name": f"ST-{n}.tmp", "since": timezone.now().isoformat(), "why": "copying"} for n in range(5)]
    make_watch(beat_at=timezone.now(), roots={folder: said(settling=settling, settling_count=70)})
    dashboard = text(viewer.get(reverse("dashboard")))
    page = text(viewer.get(reverse("drop-folder", args=[folder.pk])))
    assert "ST-0.tmp" in dashboard
    assert "and 67 more" in dashboard
    assert "ST-4.tmp" in page
    assert "and 65 more" in page


def test_files_that_lie_loose_in_a_drop_folder_are_named_because_nobody_imports_them(viewer):
    folder = make_drop_folder()
    make_watch(beat_at=timezone.now(), roots={folder: said(loose=["stray.dcm"], loose_count=1)})
    assert "stray.dcm" in text(viewer.get(reverse("drop-folder", args=[folder.pk])))


def test_a_folder_that_was_switched_off_is_no_trouble(viewer):
    make_drop_folder(enabled=False)
    make_watch(beat_at=timezone.now())
    assert viewer.get(reverse("dashboard")).context["folders"][0].health == Health.OFF


def test_a_folder_that_the_watcher_has_not_reached_yet_is_said_to_be_unknown(viewer):
    make_drop_folder()
    make_watch(beat_at=timezone.now())
    assert viewer.get(reverse("dashboard")).context["folders"][0].health == Health.UNKNOWN


# The dashboard


def test_an_admin_without_drop_folders_is_told_how_to_add_the_first(site_admin):
    assert "manage.py drop_folder add" in text(site_admin.get(reverse("dashboard")))


def test_others_without_drop_folders_are_told_whom_to_ask(viewer):
    page = text(viewer.get(reverse("dashboard")))
    assert "drop_folder add" not in page
    assert "An administrator sets one up" in page


def test_the_tiles_count_what_runs_what_waits_and_what_the_last_day_brought(viewer, project):
    now = timezone.now()
    make_job(project, status=JobStatus.TRANSFERRING)
    make_job(project, status=JobStatus.PAUSED)
    make_job(project, imported=10, failed=2, finished_at=now)
    make_job(project, imported=500, finished_at=now - timedelta(days=3))
    make_job(make_project("other/Secret"), imported=7, finished_at=now)
    tally = viewer.get(reverse("dashboard")).context["tally"]
    assert (tally.running, tally.paused, tally.imported, tally.failed) == (1, 1, 10, 2)


def test_the_fragment_that_is_polled_is_the_one_that_the_page_is_made_of(viewer, project):
    make_job(project, label="the-one", status=JobStatus.SCANNING)
    fragment = text(viewer.get(reverse("dashboard-live")))
    assert "the-one" in fragment
    assert "<html" not in fragment
    assert f'hx-get="{reverse("dashboard-live")}"' in text(viewer.get(reverse("dashboard")))


@pytest.mark.parametrize("rows", [1, 30])
def test_the_dashboard_asks_the_database_a_fixed_number_of_times(viewer, project, rows, django_assert_max_num_queries):
    for number in range(rows):
        folder = make_drop_folder()
        make_batch(folder, job=make_job(project, imported=number))
        make_job(project, status=JobStatus.SCANNING)
    with django_assert_max_num_queries(18):
        viewer.get(reverse("dashboard"))


# Who may


def test_a_reader_sees_drop_folders_and_batches_of_their_projects_only(viewer, project):
    make_batch(make_drop_folder(name="mine"), job=make_job(project), label="my-batch")
    other = make_project("other/Secret")
    make_batch(make_drop_folder(name="theirs", project=other), job=make_job(other), label="their-batch")
    for address in (reverse("dashboard"), reverse("batches")):
        page = text(viewer.get(address))
        assert "my-batch" in page
        assert "their-batch" not in page
    assert "theirs" not in text(viewer.get(reverse("dashboard")))


def test_a_folder_without_a_project_is_for_those_who_see_the_whole_site(client, people):
    folder = make_drop_folder(project=None)
    held = make_batch(folder, status=BatchStatus.HELD)
    addresses = [reverse("drop-folder", args=[folder.pk]), reverse("batch", args=[held.pk])]
    client.force_login(people.viewer)
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    Membership.objects.create(user=people.stranger, role="viewer")
    client.force_login(people.stranger)
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_a_delivery_is_seen_with_the_project_that_it_went_to_even_if_its_folder_has_another_now(viewer, project):
    there = make_batch(make_drop_folder(project=make_project("other/Secret")), job=make_job(project))
    gone = make_batch(make_drop_folder(project=project), job=make_job(make_project("other/Secret")))
    assert viewer.get(reverse("batch", args=[there.pk])).status_code == 200
    assert viewer.get(reverse("batch", args=[gone.pk])).status_code == 404


@pytest.mark.parametrize("name", ["dashboard", "dashboard-live", "batches"])
def test_who_is_not_signed_in_is_asked_to(client, name):
    assert client.get(reverse(name))["Location"].startswith(reverse("sign-in"))


@pytest.mark.parametrize("name", ["drop-folder", "batch", "batch-progress"])
def test_what_is_not_there_is_not_found(viewer, name):
    assert viewer.get(reverse(name, args=[987654])).status_code == 404


# Batches


def test_the_list_of_batches_can_be_narrowed_to_a_status(viewer, project):
    make_batch(job=make_job(project), label="all-well")
    make_batch(job=make_job(project), status=BatchStatus.PARTIAL, label="half-bad")
    page = text(viewer.get(reverse("batches", query={"status": "failed"})))
    assert "half-bad" in page
    assert "all-well" not in page


def test_the_list_of_batches_goes_on_where_the_page_before_ended(viewer, project):
    folder = make_drop_folder()
    batches = [make_batch(folder) for _ in range(110)]
    seen, address = [], reverse("batches")
    while address:
        response = viewer.get(address)
        seen += [batch.pk for batch in response.context["page"].rows]
        address = response.context["page"].next_url
    assert seen == [batch.pk for batch in reversed(batches)]


def test_nothing_delivered_yet_says_what_to_do(viewer):
    assert "Put a folder of files into a drop folder" in text(viewer.get(reverse("batches")))


@pytest.mark.parametrize("rows", [1, 45])
def test_the_list_of_batches_asks_the_database_a_fixed_number_of_times(
    viewer, project, rows, django_assert_max_num_queries
):
    for _ in range(rows):
        make_batch(make_drop_folder(), job=make_job(project))
    with django_assert_max_num_queries(6):
        viewer.get(reverse("batches"))


def test_a_batch_shows_its_images_with_picture_header_and_outcome(viewer, project):
    job = make_job(project, failed=1, imported=1)
    image = make_item(job, placement=make_placement(job), path="MR1/00001.dcm", sop_uid="1.2.3")
    make_item(job, path="MR1/00002.dcm", outcome="failed", reason="Unreadable")
    page = text(viewer.get(reverse("batch", args=[make_batch(job=job).pk])))
    assert f'src="{reverse("item-picture", args=[job.pk, image.pk])}' in page
    assert f"{reverse('item', args=[job.pk, image.pk])}#header-title" in page
    assert "98892003 / BRAIN-ROUTINE / 3 - t1 / 3 - t1.dicom.zip" in page
    assert "Unreadable" in page


def test_the_images_of_a_batch_can_be_narrowed_to_an_outcome(viewer, project):
    job = make_job(project, failed=1, imported=1)
    make_item(job, path="MR1/00001.dcm")
    make_item(job, path="MR1/00002.dcm", outcome="failed", reason="Unreadable")
    page = text(viewer.get(reverse("batch", args=[make_batch(job=job).pk], query={"outcome": "failed"})))
    assert re.findall(r"MR1/\d{5}", page).count("MR1/00001") == 0
    assert "MR1/00002" in page


@pytest.mark.parametrize("images", [1, 50])
def test_a_batch_asks_the_database_a_fixed_number_of_times(viewer, project, images, django_assert_max_num_queries):
    job = make_job(project, imported=images)
    for _ in range(images):
        make_item(job, placement=make_placement(job))
    batch = make_batch(job=job)
    with django_assert_max_num_queries(7):
        viewer.get(reverse("batch", args=[batch.pk]))


def test_a_held_batch_says_what_it_waits_for(site_admin):
    page = text(site_admin.get(reverse("batch", args=[make_batch(make_drop_folder(project=None), status="held").pk])))
    assert "Its drop folder has no project" in page


def test_while_a_batch_is_imported_its_page_follows_the_import(viewer, project):
    job = make_job(project, status=JobStatus.SCANNING)
    batch = make_batch(job=job, status=BatchStatus.IMPORTING)
    poll = reverse("batch-progress", args=[batch.pk])
    assert f'hx-get="{poll}"' in text(viewer.get(reverse("batch", args=[batch.pk])))
    response = viewer.get(poll)
    assert "HX-Trigger" not in response
    assert 'id="batch-state" hx-swap-oob="true"' in text(response)


@pytest.mark.parametrize("status", list(BatchStatus))
def test_every_state_of_a_batch_has_a_page_in_words(site_admin, project, status):
    job = None if status in {BatchStatus.HELD, BatchStatus.EMPTY} else make_job(project, status=JobStatus.SCANNING)
    page = site_admin.get(reverse("batch", args=[make_batch(job=job, status=status).pk]))
    assert BATCH[status].label in text(page)


def test_every_closed_set_has_its_words():
    assert set(BATCH) == set(BatchStatus)
    assert set(HEALTH) == set(Health)
    assert set(COMPLETION) == set(Completion)


# Names


def test_names_of_deliveries_are_escaped_and_their_control_characters_spelled_out(viewer, project):
    folder = make_drop_folder(name="<b>a\u202eb", path="/in\nto")
    batch = make_batch(folder, job=make_job(project), label="<i>c\x07")
    settling = [{"name": "<u>d\n", "since": "nonsense", "why": "x"}]
    make_watch(beat_at=timezone.now(), host="<s>", roots={folder: said(settling=settling)})
    for address in (
        reverse("dashboard"),
        reverse("batches"),
        reverse("batch", args=[batch.pk]),
        reverse("drop-folder", args=[folder.pk]),
    ):
        page = text(viewer.get(address))
        assert not re.search("<b>|<i>|<u>|<s>|\u202e|\x07", page), address
    assert "&lt;b&gt;a\\u202eb" in page
    assert "&lt;u&gt;d\\n" in page
