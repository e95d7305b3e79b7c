"""Our own bytes in an object store: whole or not at all, each under its own name, never over others, never outside."""

import hashlib
import os
import threading
import zipfile
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from storages.errors import PlaceAway, PlaceError, PlaceFull
from storages.object_places import ObjectPlace, config_of
from storages.places import LocalPlace, place
from storages.secrets import Secret
from storages.stores import Kind, patience, writing
from storages.tests import faults
from storages.tests.faults import proxy_before, says

pytestmark = pytest.mark.service
ON_SERVERS = pytest.mark.parametrize("spot", ["s3", "strict-s3", "azure", "google"], indirect=True)


def placed(config, tmp_path):
    return ObjectPlace(replace(config, prefix="our/archive", trusted=True), staging=tmp_path / "staging")


@pytest.fixture
def here(spot, tmp_path):
    return placed(spot.config, tmp_path)


@pytest.fixture
def there(s3_spot, tmp_path):
    return placed(s3_spot.config, tmp_path)


def staged(here, path, content=b"bytes"):
    one = here.stage(path)
    one.stream.write(content)
    return one


def published(here, path, content=b"bytes"):
    one = staged(here, path, content)
    here.publish([one])
    return one


def names(here):
    return sorted(name for name, _ in here.walk())


def whole(here, path):
    with here.open(path) as stream:
        return stream.read()


def on_its_way(here):
    folder = here.staging / ".incoming"
    return os.listdir(folder) if folder.is_dir() else []


@ON_SERVERS
class TestOnEveryService:
    def test_what_is_published_is_read_back_with_its_size(self, here, spot):
        assert published(here, "g/p/a.dcm", b"hello").size == 5
        assert whole(here, "g/p/a.dcm") == b"hello"
        assert here.size("g/p/a.dcm") == 5
        assert here.exists("g/p/a.dcm")
        assert [one.key for one in spot.store.list()] == ["our/archive/g/p/a.dcm"]
        assert here.where("g/p/a.dcm").endswith(f"{spot.config.bucket}/our/archive/g/p/a.dcm")

    def test_what_is_staged_or_discarded_is_not_there(self, here):
        one = staged(here, "a")
        assert names(here) == []
        assert not here.exists("a")
        with pytest.raises(FileNotFoundError):
            here.open("a")
        with pytest.raises(FileNotFoundError):
            here.size("a")
        here.discard(one)
        here.discard(one)
        assert on_its_way(here) == []

    def test_many_are_published_at_once_and_nothing_is_left_behind(self, here):
        many = [staged(here, f"g/{number}", bytes([number]) * number) for number in range(30)]
        large = staged(here, "large", b"z" * (writing.PART + 1))
        here.publish([*many, large])
        assert names(here) == sorted([*(f"g/{number}" for number in range(30)), "large"])
        assert whole(here, "g/29") == b"\x1d" * 29
        assert here.size("large") == writing.PART + 1
        assert on_its_way(here) == []

    def test_a_stored_file_is_never_written_over(self, here):
        published(here, "a", b"first")
        with pytest.raises(PlaceError, match="never written over"):
            published(here, "a", b"second")
        assert whole(here, "a") == b"first"

    def test_archives_are_written_and_read_in_place(self, here):
        one = here.stage("series.dicom.zip")
        with zipfile.ZipFile(one.stream, "w") as target:
            target.writestr("a.dcm", b"a" * 100_000)
        here.publish([one])
        with here.open("series.dicom.zip") as stream, zipfile.ZipFile(stream) as found:
            assert found.read("a.dcm") == b"a" * 100_000

    def test_deleting_takes_what_is_named_and_no_more(self, here):
        for name in ("g/a", "g/ab", "g/a/b"):
            if name != "g/a/b":
                published(here, name)
        here.delete("g/a")
        here.delete("g/a")
        here.delete("nothing")
        assert names(here) == ["g/ab"]

    def test_odd_names_come_and_go_as_in_a_folder(self, here, spot):
        odd = ["...", "a..b", "-rf", "a b", "~", "x/.incoming", "é.dcm", "\U0001f9e0", "100%", "a:b::c", "a+b&c=d#e?f"]
        odd += [] if spot.name == "azure" else ["\\x41", "a\\b"]
        for name in odd:
            published(here, name)
            assert here.exists(name)
        assert names(here) == sorted(odd)

    def test_bytes_come_from_another_place_of_the_service(self, here, spot):
        held = ObjectPlace(replace(spot.config, prefix="held", trusted=True), staging=here.staging)
        published(held, "q/a", b"held bytes")
        one = here.stage_from(held, "q/a", to="g/a")
        assert names(here) == []
        here.publish([one])
        assert one.size == 10
        assert whole(here, "g/a") == whole(held, "q/a") == b"held bytes"
        with pytest.raises(FileNotFoundError):
            here.stage_from(held, "nothing", to="g/b")
        left = here.stage_from(held, "q/a", to="g/c")
        here.discard(left)
        assert names(here) == ["g/a"]

    def test_bytes_come_from_a_folder_and_go_to_one(self, here, tmp_path):
        folder = LocalPlace(tmp_path / "folder")
        one = folder.stage("q/a")
        one.stream.write(b"held here")
        folder.publish([one])
        here.publish([here.stage_from(folder, "q/a", to="g/a")])
        assert whole(here, "g/a") == b"held here"
        folder.publish([folder.stage_from(here, "g/a", to="back")])
        assert (folder.root / "back").read_bytes() == b"held here"
        with pytest.raises(FileNotFoundError):
            folder.stage_from(here, "nothing", to="b")
        assert list(folder.leftovers()) == []

    def test_a_place_is_known_by_its_mark(self, here):
        assert here.mark() == ""
        assert here.set_mark("one") == "one"
        assert here.set_mark("two") == "one"
        assert here.mark() == "one"
        assert names(here) == []
        with pytest.raises(PlaceError):
            here.stage(".pratique-place")

    def test_without_its_bucket_it_is_away_and_nothing_is_missing(self, here):
        away = replace(here, config=replace(here.config, bucket=here.config.bucket + "-gone"))
        one = staged(away, "a")
        for ask in (
            lambda: away.publish([one]), lambda: away.open("a"), lambda: away.exists("a"), lambda: away.size("a"),
            lambda: names(away), away.check, away.mark, lambda: away.set_mark("x"),
        ):  # fmt: skip
            with pytest.raises(PlaceAway):
                ask()
        away.discard(one)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../../b", "a/..", "./a", "a//b", "a/", ".incoming/a", "a\0b"]
)
@pytest.mark.parametrize("what", ["stage", "open", "exists", "size", "delete", "where"])
def test_no_path_leads_out_of_a_place(tmp_path, path, what):
    here = ObjectPlace(config_of("s3://bucket/prefix"), staging=tmp_path)
    with pytest.raises(PlaceError):
        getattr(here, what)(path)


class TestTrouble:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch):
        monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.01)
        monkeypatch.setattr(patience, "CLIENT_ATTEMPTS", 2)

    @pytest.fixture
    def proxy(self, s3_spot):
        with proxy_before(s3_spot.config.endpoint) as made:
            yield made

    @pytest.fixture
    def through(self, there, proxy):
        return replace(there, config=replace(there.config, endpoint=proxy.endpoint))

    def test_of_many_who_want_one_name_one_gets_it(self, there):
        everyone, won = [staged(there, "a", bytes([n]) * 9) for n in range(8)], []
        start = threading.Barrier(len(everyone))

        def run(one):
            start.wait()
            try:
                there.publish([one])
            except PlaceError:
                return
            won.append(one)

        threads = [threading.Thread(target=run, args=(one,)) for one in everyone]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert there.size("a") == 9

    def test_one_service_copies_by_itself(self, through, proxy):
        held = replace(through, config=replace(through.config, prefix="held"))
        published(held, "a", b"x" * 100_000)
        proxy.asked.clear()
        through.publish([through.stage_from(held, "a", to="b")])
        assert proxy.count("GET", "/a$") == 0
        assert proxy.count("PUT") == 1
        assert through.size("b") == 100_000

    def test_what_fails_in_the_middle_is_named_as_far_as_it_came_and_is_the_callers_to_delete(self, through, proxy):
        many = [staged(through, f"g/{number}") for number in range(6)]
        proxy.breaks(says(403, faults.EXPIRED), method="PUT", about="g/3", times=100)
        with pytest.raises(PlaceAway, match="expired"):
            through.publish(many)
        for one in many:
            through.discard(one)
            through.delete(one.path)
        assert names(through) == []
        assert on_its_way(through) == []

    def test_a_service_that_goes_away_while_a_file_is_read_is_away_and_the_file_is_not_missing(self, through, proxy):
        published(through, "a", b"x" * 200_000)
        stream = through.open("a")
        assert stream.read(10) == b"x" * 10
        proxy.breaks(says(503), times=1000)
        with pytest.raises(PlaceAway):
            stream.read()

    def test_a_file_that_became_another_is_an_error_of_its_own(self, there, s3_spot):
        published(there, "a", b"x" * 200_000)
        stream = there.open("a")
        stream.read(10)
        s3_spot.plant("our/archive/a", b"y" * 200_000)
        with pytest.raises(OSError, match="not the one that was stored"):
            stream.read()

    def test_staging_without_room_is_full(self, there, settings):
        there.check(needed=1)
        settings.PRATIQUE_MIN_FREE_BYTES = 1 << 60
        with pytest.raises(PlaceFull, match="bytes are needed"):
            there.check()

    @pytest.mark.parametrize("s3_spot", ["strict-s3"], indirect=True)
    def test_what_killed_workers_left_is_swept_when_it_is_old(self, there, through, proxy):
        staged(there, "killed").stream.close()
        proxy.breaks(says(503), about="partNumber", times=1000)
        proxy.breaks(says(403, faults.DENIED), method="DELETE", times=1000)
        one = staged(through, "large", b"z" * (writing.PART * 2))
        with pytest.raises(PlaceAway):
            through.publish([one])
        through.discard(one)
        assert there.drop_leftovers(timezone.now() - timedelta(days=1)) == 0
        assert there.drop_leftovers(timezone.now() + timedelta(days=1)) == 2
        assert there.drop_leftovers(timezone.now() + timedelta(days=1)) == 0
        assert on_its_way(there) == []

    def test_who_may_not_list_unfinished_uploads_may_sweep_all_the_same(self, through, proxy):
        proxy.breaks(says(403, faults.DENIED), about="uploads", times=1000)
        staged(through, "killed").stream.close()
        assert through.drop_leftovers(timezone.now() + timedelta(days=1)) == 1

    def test_a_large_file_goes_up_as_it_was(self, there):
        content = os.urandom(1 << 20) * 20
        published(there, "large", content)
        with there.open("large") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == hashlib.sha256(content).hexdigest()


class TestAddresses:
    def test_each_kind_has_its_parts(self):
        s3 = config_of(f"s3://bucket/a/b?endpoint={quote('http://10.0.0.1:9000')}&region=eu-central-2")
        assert (s3.kind, s3.bucket, s3.prefix, s3.endpoint, s3.region) == (
            Kind.S3, "bucket", "a/b", "http://10.0.0.1:9000", "eu-central-2",
        )  # fmt: skip
        az = config_of("az://account/container/our%20archive/")
        assert (az.kind, az.account, az.bucket, az.prefix) == (Kind.AZURE, "account", "container", "our archive")
        gs = config_of("gs://bucket")
        assert (gs.kind, gs.bucket, gs.prefix) == (Kind.GOOGLE, "bucket", "")
        assert s3.trusted
        assert s3.from_machine, "without credentials in the settings"

    def test_credentials_come_from_the_settings(self, settings):
        settings.PRATIQUE_S3_ACCESS_KEY, settings.PRATIQUE_S3_SECRET_KEY = "AK", "SK"
        settings.PRATIQUE_AZURE_SAS_TOKEN = "sv=1&sig=2"
        settings.PRATIQUE_GOOGLE_SERVICE_ACCOUNT = "{}"
        assert config_of("s3://b").credentials == Secret.of(access_key="AK", secret_key="SK")
        assert config_of("az://a/b").credentials == Secret.of(sas_token="sv=1&sig=2")
        assert config_of("gs://b").credentials == Secret.of(service_account="{}")
        assert not config_of("s3://b").from_machine

    def test_a_place_by_its_address_works_and_needs_a_local_staging(self, s3_spot, settings, tmp_path):
        settings.PRATIQUE_S3_ACCESS_KEY, settings.PRATIQUE_S3_SECRET_KEY = "pratique", "only-for-tests"
        settings.PRATIQUE_STAGING_URL = f"file://{tmp_path}/staging"
        # The operator's own words need nobody's leave.
        settings.PRATIQUE_ALLOWED_NETWORKS = []
        place.cache_clear()
        here = place(f"s3://{s3_spot.config.bucket}/p?endpoint={s3_spot.config.endpoint}&region=us-east-1")
        published(here, "a")
        assert names(here) == ["a"]
        place.cache_clear()
        settings.PRATIQUE_STAGING_URL = "s3://bucket"
        with pytest.raises(PlaceAway, match="PRATIQUE_STAGING_URL"):
            place("s3://bucket/x")
        place.cache_clear()
