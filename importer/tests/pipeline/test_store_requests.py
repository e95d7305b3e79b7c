"""What an import asks of a bucket, counted by a proxy before the server; and the wire on a bad day."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from importer.models import Known
from importer.pipeline.remember import vanished
from importer.plans import approve_import
from importer.services import rerun_import
from importer.tests.core import made
from importer.tests.pipeline.drive import Clock, became, instance, outcomes, reasons, run, tree, until, worker, wrongs
from importer.tests.pipeline.stored import begun, imported, storage_of
from storages.secrets import Secret
from storages.stores import patience
from storages.tests import faults
from storages.tests.faults import cut, proxy_before, reset, says, shorter, with_body, with_etag

# A heartbeat looks by a connection of its own.
pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("places")]
MANY = 10**6
made.SYNTAXES["jpeg 2000"] = JPEG2000Lossless


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(patience, "CLIENT_ATTEMPTS", 2)


@pytest.fixture
def proxy(bucket):
    with proxy_before(bucket.config.endpoint) as before:
        yield before


@pytest.fixture
def storage(bucket, proxy):
    """Over the proxy; `bucket` goes past it."""
    return storage_of(replace(bucket.config, endpoint=proxy.endpoint))


def fill(bucket, objects):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: bucket.plant(*pair), objects.items()))


def series(number, count, **said):
    return {
        f"P{number:02}/{each:04}.dcm": instance(each, study=number, patient=f"P{number:02}", **said)
        for each in range(1, count + 1)
    }


def compressed(fragments):
    """As many frames, each a fragment of 200 bytes, closed by their delimiter."""
    data = made.with_pixels(made.dataset())
    data.PixelData = encapsulate([b"\xff\x4f" + bytes(198)] * fragments, has_bot=False)
    data["PixelData"].is_undefined_length = True
    return made.file_of(data, syntax="jpeg 2000")


def lists(proxy):
    return proxy.count("GET", r"list-type=2")


def test_an_unchanged_bucket_costs_its_listing_alone(project, bucket, proxy, storage):
    fill(bucket, {key: content for number in range(11) for key, content in series(number, 100).items()})
    first = imported(project, storage)
    assert first.imported == 1100
    # A look at each header, and each object once to move it.
    assert len(proxy.asked) == lists(proxy) + 2 * 1100
    proxy.asked.clear()

    again = imported(project, storage)

    assert set(outcomes(again).values()) == {("skipped", "File already exists")}
    assert [path for _, path in proxy.asked if "list-type=2" not in path] == []
    assert len(proxy.asked) == 2
    assert wrongs() == []


def test_what_changed_and_what_is_gone_is_found_and_nothing_else(project, bucket, proxy, storage):
    objects = {key: content for number in range(6) for key, content in series(number, 50).items()}
    fill(bucket, objects)
    imported(project, storage)
    changed = {key: instance(7, study=1, patient="P01", PatientComments=key) for key in list(objects)[50:60]}
    removed = list(objects)[100:110]
    fill(bucket, changed)
    bucket.store.delete(removed)
    before = tree(project)
    proxy.asked.clear()

    again = imported(project, storage)

    looked_at = {re.sub(r".*?/(P\d\d/)", r"\1", path) for _, path in proxy.asked if "list-type" not in path}
    assert looked_at == set(changed)
    assert {path for path, outcome in became(again).items() if outcome != "skipped"} == set(changed)
    assert sorted(vanished(again).values_list("path", flat=True)) == removed
    assert (again.discovered, again.vanished) == (290, 10)
    assert tree(project) == before


def test_a_header_is_read_from_the_first_bytes(project, bucket, proxy, storage):
    bucket.plant("P/1.dcm", made.file_of(made.with_pixels(made.dataset(), rows=1500, columns=1500)))
    job = begun(project, storage, dry_run=True)
    run(job)
    assert proxy.count("GET", "1.dcm") == 1
    assert became(job) == {"P/1.dcm": "planned"}


def test_of_compressed_pixels_the_end_is_looked_at_and_not_every_fragment(project, bucket, proxy, storage):
    bucket.plant("P/1.dcm", compressed(3_000))
    bucket.plant("P/2.dcm", compressed(3_000)[:-5_000])
    job = run(begun(project, storage, dry_run=True))
    assert reasons(job) == {"P/1.dcm": "planned", "P/2.dcm": "failed: Truncated"}
    assert proxy.count("GET", "1.dcm") == 2


def plain(project, bucket, storage):
    """A job over five objects that nobody has begun."""
    fill(bucket, series(1, 5))
    return begun(project, storage)


def test_throttling_resets_and_bodies_that_break_off_are_overcome(project, bucket, proxy, storage):
    job = plain(project, bucket, storage)
    proxy.breaks(says(503, faults.SLOW_DOWN), about="0001.dcm", times=2)
    proxy.breaks(reset, about="0002.dcm")
    proxy.breaks(cut(100), about="0003.dcm")
    proxy.breaks(shorter(100), about="0004.dcm")
    proxy.breaks(says(500), about="list-type=2")

    run(job)

    assert set(reasons(job).values()) == {"imported"}
    assert (job.status, job.pauses) == ("completed", 0)
    assert wrongs() == []


@pytest.mark.parametrize("where", ["list-type=2", "0003.dcm"])
def test_a_storage_that_is_away_pauses_the_import_and_it_goes_on(project, bucket, proxy, storage, where):
    clock = Clock()
    job = plain(project, bucket, storage)
    proxy.breaks(says(503, faults.SLOW_DOWN), about=where, times=MANY)
    run(job, by=worker(now=clock))
    assert job.status == "paused"
    assert "cannot answer now" in job.pause_reason

    proxy.faults.clear()
    clock.add(3600)
    run(job, by=worker(now=clock))

    assert (job.status, job.imported) == ("completed", 5)
    assert wrongs() == []


def test_credentials_that_expire_in_the_middle_pause_with_words_and_without_the_key(project, bucket, proxy, storage):
    clock = Clock()
    job = plain(project, bucket, storage)
    proxy.breaks(says(403, faults.EXPIRED), about=r"\.dcm", after=7, times=MANY)
    run(job, by=worker(now=clock))
    assert (job.status, job.paused_from) == ("paused", "transferring")
    assert "expired: enter new ones" in job.pause_reason
    assert bucket.config.credentials.get("secret_key") not in job.pause_reason

    # Somebody enters new ones.
    proxy.faults.clear()
    fresh = Secret.of(access_key="another", secret_key="key-for-tests")
    type(storage).objects.update(credentials=fresh.sealed())
    clock.add(3600)
    run(job, by=worker(now=clock))
    assert (job.status, job.imported) == ("completed", 5)


def test_a_listing_that_makes_no_sense_concludes_nothing(project, bucket, proxy, storage):
    fill(bucket, series(1, 5))
    imported(project, storage)
    proxy.breaks(with_body(lambda text: text.replace("P01/0005", "P01/0000")), about="list-type=2", times=MANY)

    again = imported(project, storage)

    assert again.status == "paused"
    assert "out of order" in again.pause_reason
    assert not Known.objects.filter(gone__isnull=False).exists()


def test_an_object_that_is_replaced_or_removed_behind_the_listing_fails_and_the_others_land(project, bucket, storage):
    job = plain(project, bucket, storage)
    until(job, "transferring")
    bucket.store.delete(["P01/0002.dcm"])
    bucket.plant("P01/0004.dcm", instance(4, study=1, patient="P01", PatientComments="another"))

    run(job)

    assert reasons(job) == {
        "P01/0001.dcm": "imported",
        "P01/0002.dcm": "failed: Vanished",
        "P01/0003.dcm": "imported",
        "P01/0004.dcm": "failed: Changed since listing",
        "P01/0005.dcm": "imported",
    }
    assert not Known.objects.filter(path__in=["P01/0002.dcm", "P01/0004.dcm"]).exists()
    assert wrongs() == []


def test_another_etag_in_an_answer_is_another_content(project, bucket, proxy, storage):
    job = plain(project, bucket, storage)
    proxy.breaks(with_etag("0" * 32), about="0003.dcm", times=MANY)
    run(job)
    assert reasons(job)["P01/0003.dcm"] == "failed: Changed since listing"
    assert job.imported == 4


def test_an_approved_plan_looks_again_by_listing(project, bucket, proxy, storage):
    fill(bucket, series(1, 120))
    job = run(begun(project, storage, dry_run=True))
    bucket.plant("P01/0004.dcm", instance(4, study=1, patient="P01", PatientComments="another"))
    bucket.store.delete(["P01/0120.dcm"])
    proxy.asked.clear()

    approve_import(job.pk, actor=None, who="system", now=job.created_at, enqueue=False)
    run(job)

    assert job.status == "planned"
    assert reasons(job)["P01/0004.dcm"] == "failed: Changed since listing"
    assert reasons(job)["P01/0120.dcm"] == "failed: Vanished"
    assert proxy.count("HEAD") <= 2
    assert lists(proxy) == 1


def test_what_failed_is_run_again_object_by_object(project, bucket, proxy, storage):
    fill(bucket, series(1, 3) | {"P-1/0001.dcm": b"bad", "P/0001.dcm": b"bad", "P/z.dcm": b"bad"})
    job = imported(project, storage)
    assert job.failed == 3
    bucket.plant("P/0001.dcm", instance(1, study=2, patient="P"))
    proxy.asked.clear()

    again = rerun_import(job.pk, actor=None, who="system", now=job.created_at, only_failed=True, enqueue=False)
    run(again)

    assert became(again) == {"P-1/0001.dcm": "failed", "P/0001.dcm": "imported", "P/z.dcm": "failed"}
    assert lists(proxy) == 0
    assert again.vanished == 0
