"""Whether a store does what it is there for: each step, its words, and what it leaves behind."""

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest

from storages import checks, deadline, health, tasks
from storages.checks import NAME, StepOutcome, check
from storages.deadline import within
from storages.models import ExternalStorage, Health, StorageCheck
from storages.secrets import Secret
from storages.stores import Kind, Missing, StoreAway, StoreConfig, StoreDenied
from storages.tests.rows import START, make_storage

SECRET = Secret.of(access_key="AKIAEXAMPLE", secret_key="wJalrXUtnFEMI")
OK, FAILED, SKIPPED = StepOutcome.OK, StepOutcome.FAILED, StepOutcome.SKIPPED


def local(path) -> StoreConfig:
    return StoreConfig(kind=Kind.LOCAL, bucket=str(path))


def outcomes(report) -> dict:
    return {step.name.value: step.outcome.value for step in report.steps}


class TestALocalFolder:
    def test_reading_is_tried_on_the_smallest_object(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "large").write_bytes(b"x" * 5000)
        (tmp_path / "empty").touch()
        (tmp_path / "small").write_bytes(b"x" * 1234)
        report = check(local(tmp_path), write=False)
        assert outcomes(report) == {"open": "ok", "list": "ok", "stat": "ok", "read": "ok"}
        assert (report.health, report.words) == (Health.OK, "")
        assert "1,234 bytes" in report.steps[-1].words
        assert "3 names" in report.steps[1].words
        assert report.identity.startswith("fs:")

    def test_of_a_large_object_a_piece_is_read(self, tmp_path):
        with (tmp_path / "large").open("wb") as stream:
            stream.truncate(checks.SMALL + 1)
        assert "65,536 bytes" in check(local(tmp_path), write=False).steps[-1].words

    def test_an_empty_one_is_well_and_says_so(self, tmp_path):
        report = check(local(tmp_path), write=False)
        assert outcomes(report) == {"open": "ok", "list": "ok", "stat": "skipped", "read": "skipped"}
        assert report.health == Health.OK

    def test_writing_leaves_nothing_behind(self, tmp_path):
        report = check(local(tmp_path), write=True)
        assert outcomes(report)["put"] == outcomes(report)["delete"] == "ok"
        assert [name for name in os.listdir(tmp_path) if NAME in name] == []

    def test_importing_writes_nothing_at_all(self, tmp_path):
        before = tmp_path.stat().st_mtime_ns
        check(local(tmp_path), write=False)
        assert (os.listdir(tmp_path), tmp_path.stat().st_mtime_ns) == ([], before)

    def test_one_that_is_gone_stops_at_the_first_step(self, tmp_path):
        report = check(local(tmp_path / "gone"), write=True)
        assert outcomes(report) == {"open": "failed"}
        assert report.health == Health.FAILED
        assert report.words == report.steps[0].words != ""

    def test_another_disk_in_its_place_is_found_out(self, tmp_path):
        known = check(local(tmp_path), write=False).identity
        assert check(local(tmp_path), write=False, known_as=known).health == Health.OK
        report = check(local(tmp_path), write=False, known_as="fs:other:2")
        assert outcomes(report) == {"open": "failed"}
        assert "is the right one mounted?" in report.words


class Stub:
    """A store that fails where it is told to; only what no real one here can be made to do."""

    kind = Kind.S3

    def __init__(self, **errors):
        self.errors, self.kept, self.deleted = errors, {}, []

    def _fail(self, name):
        if name in self.errors:
            raise self.errors[name]

    def identity(self):
        self._fail("open")
        return "s3:aws/images"

    def list(self, prefix="", after=""):
        self._fail("list")
        return iter(())

    def put(self, key, stream, *, size, sha256=""):
        self.kept[key] = stream.read()
        self._fail("put")

    def read_at(self, key, offset, length, *, expect=None):
        return self.kept[key] if "torn" not in self.errors else b"torn"

    def delete(self, keys):
        self.deleted.extend(keys)
        if "stays" not in self.errors:
            self.kept.clear()

    def stat(self, key):
        if key not in self.kept:
            raise Missing("There is no such object.")


@pytest.fixture
def stub(monkeypatch):
    def made(**errors):
        store = Stub(**errors)
        monkeypatch.setattr(checks, "store_for", lambda _config: store)
        return store

    return made


CONFIG = StoreConfig(kind=Kind.S3, bucket="images", credentials=SECRET)


class TestFailures:
    def test_the_text_of_a_failure_holds_no_credential(self, stub):
        stub(list=StoreDenied("AKIAEXAMPLE with wJalrXUtnFEMI was refused."))
        report = check(CONFIG, write=True)
        assert outcomes(report) == {"open": "ok", "list": "failed"}
        assert report.words == "*** with *** was refused."

    def test_what_a_client_did_not_expect_is_a_finding_without_its_text(self, stub, caplog):
        stub(list=RuntimeError("wJalrXUtnFEMI"))
        report = check(CONFIG, write=False)
        assert "RuntimeError" in report.words
        assert "wJal" not in report.words + caplog.text

    def test_what_may_have_been_written_is_cleaned_up(self, stub):
        store = stub(put=StoreAway("No answer."))
        report = check(CONFIG, write=True)
        assert outcomes(report)["put"] == "failed"
        assert "delete" not in outcomes(report)
        assert store.kept == {}
        assert len(store.deleted) == 1

    def test_what_is_read_back_otherwise_is_a_failure(self, stub):
        stub(torn=True)
        assert outcomes(check(CONFIG, write=True))["put"] == "failed"

    def test_what_is_still_there_after_it_was_deleted_is_named(self, stub):
        stub(stays=True)
        report = check(CONFIG, write=True)
        assert outcomes(report)["delete"] == "failed"
        assert NAME in report.words


class TestNoAnswer:
    @pytest.fixture
    def stuck(self):
        end = threading.Event()
        yield end
        end.set()

    def test_a_store_that_hangs_fails_in_time_and_costs_one_thread(self, stuck):
        with pytest.raises(StoreAway, match=r"within 0\.05 seconds"):
            within(0.05, stuck.wait, about="here")
        before = threading.active_count()
        with pytest.raises(StoreAway, match="still does not answer"):
            within(0.05, stuck.wait, about="here")
        assert threading.active_count() == before
        assert within(5, lambda: "elsewhere", about="there") == "elsewhere"

    def test_once_it_answers_it_is_asked_again(self, stuck):
        with pytest.raises(StoreAway):
            within(0.05, stuck.wait, about="again")
        stuck.set()
        deadline._waiting["again"].join()
        assert within(5, lambda: 7, about="again") == 7

    def test_the_step_that_hangs_is_the_one_that_failed(self, stub, monkeypatch, stuck):
        store = stub()
        store.list = stuck.wait
        monkeypatch.setattr(checks, "SECONDS", 0.05)
        report = check(StoreConfig(kind=Kind.S3, bucket="slow"), write=True)
        assert outcomes(report) == {"open": "ok", "list": "failed"}


@pytest.mark.django_db
class TestWrittenDown:
    @pytest.fixture
    def storage(self, tmp_path):
        (tmp_path / "one").write_bytes(b"x")
        return make_storage(kind="fs", bucket=str(tmp_path))

    def check(self, storage, **more):
        return health.check_storage(storage.pk, who="user a", clock=lambda: START, jitter=0, **more)

    def test_a_good_one_is_checked_again_in_four_hours_and_knows_its_disk(self, storage):
        made = self.check(storage)
        storage.refresh_from_db()
        assert (storage.health, storage.health_words, storage.checked_at) == (Health.OK, "", START)
        assert storage.next_check_at == START + timedelta(hours=4)
        assert storage.identity.startswith("fs:")
        assert (made.who, made.at, [step["name"] for step in made.steps]) == (
            "user a", START, ["open", "list", "stat", "read"],
        )  # fmt: skip

    def test_a_bad_one_sooner_and_in_words(self, storage):
        ExternalStorage.objects.update(bucket="/nowhere/at/all", moved=1)
        made = self.check(storage)
        storage.refresh_from_db()
        assert (storage.health, storage.identity) == (Health.FAILED, "")
        assert storage.health_words == made.words != ""
        assert storage.next_check_at == START + timedelta(minutes=30)

    def test_another_disk_is_not_taken_for_it_and_its_own_one_is_kept(self, storage):
        ExternalStorage.objects.update(identity="fs:other:2")
        assert self.check(storage).health == Health.FAILED
        assert ExternalStorage.objects.get().identity == "fs:other:2"

    def test_credentials_that_cannot_be_decrypted_are_said(self, settings):
        sealed = SECRET.sealed()
        storage = make_storage(credentials=sealed, credentials_at=START)
        settings.PRATIQUE_SECRET_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI="]
        assert "PRATIQUE_SECRET_KEYS" in self.check(storage).words

    @pytest.mark.parametrize("jitter", [-1, 1])
    def test_jitter_moves_the_next_one(self, jitter):
        at = health.next_check("ok", now=START, jitter=jitter)
        assert at - START == timedelta(hours=4) * (1 + jitter / 10)

    def test_what_was_edited_while_the_check_ran_is_not_written_over(self, storage, monkeypatch):
        real = health.check

        def meanwhile(*args, **kwargs):
            ExternalStorage.objects.update(direction="both", health="unchecked")
            return real(*args, **kwargs)

        monkeypatch.setattr(health, "check", meanwhile)
        assert self.check(storage) is None
        assert ExternalStorage.objects.get().health == Health.UNCHECKED

    def test_what_was_deleted_is_no_matter(self):
        assert health.check_storage(12345, who="system") is None

    def test_old_checks_are_forgotten(self, storage):
        for _ in range(3):
            self.check(storage)
        first = StorageCheck.objects.earliest("pk")
        StorageCheck.objects.bulk_create(
            StorageCheck(storage=storage, at=START, who="system", health="ok", seconds=0) for _ in range(health.KEPT)
        )
        newest = self.check(storage)
        assert StorageCheck.objects.count() == health.KEPT
        assert not StorageCheck.objects.filter(pk=first.pk).exists()
        assert StorageCheck.objects.latest("pk") == newest

    def test_only_what_is_due_and_switched_on_is_taken_and_once(self):
        now = START + timedelta(hours=1)
        due = make_storage(label="due", next_check_at=START)
        make_storage(label="later", next_check_at=now + timedelta(seconds=1))
        make_storage(label="off", next_check_at=START, enabled=False)
        assert health.take_due(now=now) == [due.pk]
        assert health.take_due(now=now) == []

    def test_a_check_that_was_lost_is_due_again(self):
        due = make_storage(next_check_at=START)
        assert health.take_due(now=START) == [due.pk]
        assert health.take_due(now=START + health.TAKEN) == [due.pk]

    def test_the_task_of_the_schedule_hands_over_one_task_each(self, storage, monkeypatch):
        asked = []
        monkeypatch.setattr(tasks.check_storage, "delay", asked.append)
        tasks.check_due()
        assert asked == [storage.pk]
        tasks.check_storage(storage.pk)
        assert StorageCheck.objects.get().who == "system"
        storage.refresh_from_db()
        assert datetime.now(UTC) - storage.checked_at < timedelta(minutes=1)

    def test_a_broker_that_is_away_stops_nothing(self, storage, monkeypatch):
        def away(_pk):
            raise OSError("no broker")

        monkeypatch.setattr(tasks.check_storage, "delay", away)
        tasks.check_due()
        storage.refresh_from_db()
        assert storage.next_check_at > datetime.now(UTC)


def test_beat_asks_every_minute(settings):
    entry = settings.CELERY_BEAT_SCHEDULE["check-storages"]
    assert entry["task"] == tasks.check_due.name
    assert entry["schedule"] <= 60
