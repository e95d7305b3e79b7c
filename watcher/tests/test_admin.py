"""The administration of drop folders and deliveries."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from watcher.models import Batch, DropFolder, Watch

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def admin_client(client, people):
    client.force_login(people.site_admin)
    return client


@pytest.fixture
def folder(project, places, tmp_path):
    (tmp_path / "drop").mkdir()
    return DropFolder.objects.create(name="ct", path=str(tmp_path / "drop"), project=project)


def batches(folder, count):
    for number in range(count):
        Batch.objects.create(
            drop_folder=folder,
            name=f"ST-{number}",
            label=f"ST-{number}",
            device="1",
            inode=str(number),
            fingerprint="00",
            found_by="scan",
            status="empty",
            seen_at=NOW,
            claimed_at=NOW,
            finished_at=NOW,
        )


def form_of(folder, **changes):
    fields = ("name", "path", "completion", "marker", "quiet_seconds", "scan_seconds", "watch_mode")
    said = {field: getattr(folder, field) for field in fields}
    return said | {"enabled": "on", "project": folder.project_id} | changes


@pytest.mark.parametrize("model", ["dropfolder", "batch", "watch"])
def test_every_list_can_be_searched(admin_client, folder, model):
    batches(folder, 1)
    Watch.objects.create(host="somewhere")
    page = admin_client.get(reverse(f"admin:watcher_{model}_changelist"), {"q": "s"})
    assert page.status_code == 200


@pytest.mark.parametrize("model", ["batch", "watch"])
def test_deliveries_and_the_heartbeat_cannot_be_changed_by_hand(admin_client, folder, model):
    batches(folder, 1)
    Watch.objects.create()
    for action in ("add", "change", "delete"):
        args = [] if action == "add" else [1 if model == "watch" else Batch.objects.get().pk]
        address = reverse(f"admin:watcher_{model}_{action}", args=args)
        assert admin_client.post(address, {"post": "yes"}).status_code == 403


def test_the_list_of_deliveries_costs_the_same_for_one_and_for_many(
    admin_client, folder, django_assert_max_num_queries
):
    address = reverse("admin:watcher_batch_changelist")
    batches(folder, 30)
    admin_client.get(address)
    with django_assert_max_num_queries(12):
        admin_client.get(address)


def test_the_list_of_drop_folders_costs_the_same_for_one_and_for_many(
    admin_client, folder, django_assert_max_num_queries
):
    for number in range(30):
        DropFolder.objects.create(name=f"n{number}", path=f"/n{number}", project=folder.project)
    address = reverse("admin:watcher_dropfolder_changelist")
    admin_client.get(address)
    with django_assert_max_num_queries(8):
        admin_client.get(address)


def test_a_label_with_line_breaks_and_direction_marks_is_spelled_out(admin_client, folder):
    batches(folder, 1)
    Batch.objects.update(label="two\nlines\u202egpj")
    page = admin_client.get(reverse("admin:watcher_batch_changelist")).content.decode()
    assert r"two\nlines\u202egpj" in page


def test_a_name_that_is_tried_gets_the_verdict_of_the_watcher(admin_client, folder):
    address = reverse("admin:watcher_dropfolder_change", args=[folder.pk])
    page = admin_client.post(address, form_of(folder, try_name="ST.TMP1"), follow=True)
    assert "ST.TMP1: unfinished" in page.content.decode()


def test_a_path_that_may_not_be_watched_is_refused_with_the_reason(admin_client, folder, tmp_path):
    address = reverse("admin:watcher_dropfolder_change", args=[folder.pk])
    page = admin_client.post(address, form_of(folder, path=str(tmp_path / "nowhere")))
    assert "is not a folder" in page.content.decode()
    folder.refresh_from_db()
    assert folder.path == str(tmp_path / "drop")


def test_a_marker_that_is_no_file_name_is_refused(admin_client, folder):
    address = reverse("admin:watcher_dropfolder_change", args=[folder.pk])
    page = admin_client.post(address, form_of(folder, completion="marker", marker="a/b"))
    assert "without a slash" in page.content.decode()


def test_rules_that_no_delivery_could_have_are_refused_with_the_nearest(admin_client, folder):
    address = reverse("admin:watcher_dropfolder_change", args=[folder.pk])
    page = admin_client.post(address, form_of(folder, rule_set="bidz"))
    assert "Did you mean bids" in page.content.decode()
    assert admin_client.post(address, form_of(folder, rule_set="bids", preview="on")).status_code == 302
    folder.refresh_from_db()
    assert (folder.rule_set, folder.preview) == ("bids", True)
