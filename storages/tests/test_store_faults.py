"""The wire on a bad day: each fault before a real server is overcome, or said in words, and never a wrong byte."""

import hashlib
import io
import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from storages.stores import (
    BadListing,
    Changed,
    Missing,
    Secret,
    StoreAway,
    StoreDenied,
    Taken,
    Unreadable,
    patience,
    store_for,
    writing,
)
from storages.tests import faults
from storages.tests.faults import cut, proxy_before, reset, says, shorter, slow, with_body, with_etag, with_header

pytestmark = pytest.mark.service
MANY = 10**6


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(patience, "CLIENT_ATTEMPTS", 2)
    monkeypatch.setattr(patience, "READ_SECONDS", 1.0)


@pytest.fixture
def proxy(s3_spot):
    with proxy_before(s3_spot.config.endpoint) as made:
        yield made


@pytest.fixture
def store(s3_spot, proxy):
    """Over the proxy; `s3_spot.store` goes past it."""
    return store_for(replace(s3_spot.config, endpoint=proxy.endpoint))


def put(store, key, content=b"bytes"):
    return store.put(key, io.BytesIO(content), size=len(content), sha256=hashlib.sha256(content).hexdigest())


def listed(store, **how):
    return [one.key for one in store.list(**how)]


def fill(s3_spot, count):
    for number in range(count):
        s3_spot.plant(f"k/{number:04}", b"x")
    return [f"k/{number:04}" for number in range(count)]


class TestThrottling:
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
    def test_a_service_that_is_busy_for_a_while_is_asked_again(self, store, proxy, s3_spot, status):
        s3_spot.plant("a", b"content")
        proxy.breaks(says(status, faults.SLOW_DOWN if status == 503 else ""), times=3)
        assert store.read_at("a", 0, 7) == b"content"
        proxy.breaks(says(status), times=3)
        assert listed(store) == ["a"]
        proxy.breaks(says(status), times=3)
        assert put(store, "b").size == 5

    def test_one_that_stays_busy_is_away_after_a_bounded_number_of_questions(self, store, proxy):
        proxy.breaks(says(503, faults.SLOW_DOWN), times=MANY)
        with pytest.raises(StoreAway, match="cannot answer now"):
            store.read_at("a", 0, 1)
        assert len(proxy.asked) <= patience.ATTEMPTS * patience.CLIENT_ATTEMPTS

    def test_a_service_that_names_a_time_is_left_alone_so_long(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"content")
        proxy.breaks(says(429, Retry_After="1"), method="GET")
        began = time.monotonic()
        assert store.read_at("a", 0, 7) == b"content"
        assert 1.0 <= time.monotonic() - began < 5

    def test_no_question_takes_longer_than_its_time(self, store, proxy, monkeypatch):
        monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.5)
        proxy.breaks(says(429, Retry_After="3600"), times=MANY)
        began = time.monotonic()
        with pytest.raises(StoreAway):
            store.stat("a")
        assert time.monotonic() - began < 5


class TestBrokenAnswers:
    CONTENT = bytes(range(256)) * 1000

    @pytest.mark.parametrize(
        "fault", [cut(1000), shorter(1000), reset, cut(0)], ids=["cut", "shorter", "reset", "none"]
    )
    def test_a_body_that_breaks_off_is_asked_for_again(self, store, proxy, s3_spot, fault):
        s3_spot.plant("a", self.CONTENT)
        proxy.breaks(fault, method="GET", times=2)
        assert store.read_at("a", 0, 200_000) == self.CONTENT[:200_000]
        assert proxy.count("GET") == 3

    @pytest.mark.parametrize("fault", [cut(1000), shorter(1000), reset], ids=["cut", "shorter", "reset"])
    def test_one_that_always_breaks_off_is_never_taken_for_the_whole(self, store, proxy, s3_spot, fault):
        s3_spot.plant("a", self.CONTENT)
        proxy.breaks(fault, method="GET", times=MANY)
        with pytest.raises(StoreAway):
            store.read_at("a", 0, 200_000)

    def test_a_stream_goes_on_where_a_block_broke_off(self, store, proxy, s3_spot):
        s3_spot.plant("a", self.CONTENT)
        proxy.breaks(cut(10), method="GET", about="/a$", times=1, after=1)
        with store.open("a") as stream:
            assert stream.read() == self.CONTENT

    def test_an_answer_that_does_not_come_is_given_up(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"content")
        proxy.breaks(slow(3), method="GET")
        began = time.monotonic()
        assert store.read_at("a", 0, 7) == b"content"
        assert time.monotonic() - began < 3

    def test_another_part_than_was_asked_for_is_not_taken(self, store, proxy, s3_spot):
        s3_spot.plant("a", self.CONTENT)
        there = store.stat("a")

        def moved(answer):
            answer.body = self.CONTENT[:100]
            return with_header("Content-Range", "bytes 0-99/256000")(answer)

        proxy.breaks(moved, method="GET")
        assert store.read_at("a", 5, 100, expect=there) == self.CONTENT[5:105]

    def test_a_service_that_gives_the_whole_instead_of_a_part_is_refused(self, store, proxy, s3_spot):
        s3_spot.plant("a", self.CONTENT)

        def whole(answer):
            headers = {k: v for k, v in answer.headers.items() if k.lower() != "content-range"}
            return faults.Answer(200, headers, self.CONTENT)

        proxy.breaks(whole, method="GET", times=MANY)
        with pytest.raises(StoreAway, match="cannot read a part"):
            store.read_at("a", 0, 10)


class TestEtags:
    def test_a_wrong_etag_once_is_asked_about_again(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"content")
        there = store.stat("a")
        proxy.breaks(with_etag("0" * 32), method="GET")
        assert store.read_at("a", 0, 7, expect=there) == b"content"

    def test_a_wrong_etag_every_time_is_another_object(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"content")
        there = store.stat("a")
        proxy.breaks(with_etag("0" * 32), method="GET", times=MANY)
        with pytest.raises(Changed):
            store.read_at("a", 0, 7, expect=there)

    def test_what_is_written_is_read_back_where_the_etag_proves_nothing(self, store, proxy):
        proxy.breaks(with_etag("0" * 32), method="PUT")
        assert put(store, "a", b"content").size == 7
        assert proxy.count("GET", "/a$") == 1

    def test_bytes_that_arrive_otherwise_than_sent_are_taken_away_again(self, store, proxy, s3_spot):
        """The service says that all is well and keeps something else."""

        def spoil(answer):
            s3_spot.plant("a", b"c0ntent")
            return with_etag("0" * 32)(answer)

        proxy.breaks(spoil, method="PUT")
        with pytest.raises(StoreAway, match="did not keep"):
            put(store, "a", b"content")
        assert listed(s3_spot.store) == []


class TestListings:
    def test_what_is_listed_twice_comes_once(self, store, proxy, s3_spot):
        names = fill(s3_spot, 30)

        def twice(body):
            return re.sub(r"(<Contents>.*?</Contents>)", r"\1\1", body, flags=re.DOTALL)

        proxy.breaks(with_body(twice), about="list-type=2")
        assert listed(store) == names

    def test_a_page_that_is_sent_again_comes_once(self, store, proxy, s3_spot, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        names, first = fill(s3_spot, 30), []

        def keep(answer):
            first.append(answer.body.decode())
            return answer

        def again(body):
            old = re.findall(r"<Contents>.*?</Contents>", first[0], flags=re.DOTALL)
            return body.replace("<Contents>", "".join(old) + "<Contents>", 1)

        proxy.breaks(keep, about="list-type=2")
        proxy.breaks(with_body(again), about="continuation-token")
        assert listed(store) == names

    def test_a_listing_out_of_order_is_an_error(self, store, proxy, s3_spot):
        fill(s3_spot, 3)

        def turned(body):
            found = re.findall(r"<Contents>.*?</Contents>", body, flags=re.DOTALL)
            return body.replace("".join(found), "".join(reversed(found)))

        proxy.breaks(with_body(turned), about="list-type=2", times=MANY)
        with pytest.raises(BadListing, match="out of order"):
            listed(store)

    def test_a_listing_that_leaves_out_what_it_counts_is_asked_for_again(self, store, proxy, s3_spot):
        names = fill(s3_spot, 5)
        without = with_body(lambda body: re.sub(r"<Contents>.*?</Contents>", "", body, count=1, flags=re.DOTALL))
        proxy.breaks(without, about="list-type=2")
        assert listed(store) == names
        proxy.breaks(without, about="list-type=2", times=MANY)
        with pytest.raises(BadListing, match="fewer"):
            listed(store)

    @pytest.mark.parametrize("fault", [cut(200), shorter(200), reset, says(200, "<html>Please log in</html>")])
    def test_a_page_that_is_none_is_asked_for_again(self, store, proxy, s3_spot, fault, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        names = fill(s3_spot, 25)
        proxy.breaks(fault, about="list-type=2", times=1, after=1)
        assert listed(store) == names

    def test_one_that_never_comes_whole_never_looks_like_the_end(self, store, proxy, s3_spot):
        fill(s3_spot, 5)
        proxy.breaks(says(200, "<html>Please log in</html>"), about="list-type=2", times=MANY)
        with pytest.raises(BadListing):
            listed(store)

    def test_a_listing_that_leads_in_circles_ends(self, store, proxy, s3_spot, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        fill(s3_spot, 15)

        def round_again(body):
            on = "<IsTruncated>true</IsTruncated><NextContinuationToken>round</NextContinuationToken>"
            return re.sub("<IsTruncated>.*</IsTruncated>(.*</NextContinuationToken>)?", on, body, flags=re.DOTALL)

        proxy.breaks(with_body(round_again), about="list-type=2", times=MANY)
        with pytest.raises(StoreAway):
            listed(store)

    def test_one_that_is_cut_without_a_way_on_is_not_taken_for_the_end(self, store, proxy, s3_spot, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        fill(s3_spot, 15)
        no_token = with_body(lambda body: re.sub("<NextContinuationToken>.*</NextContinuationToken>", "", body))
        proxy.breaks(no_token, about="list-type=2", times=MANY)
        with pytest.raises(BadListing, match="breaks off"):
            listed(store)

    def test_pages_are_asked_for_and_no_object_by_itself(self, store, proxy, s3_spot, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        assert len(fill(s3_spot, 35)) == len(listed(store))
        assert len(proxy.asked) == 4


class TestCredentials:
    def test_those_that_expire_in_the_middle_are_denied_and_not_missing(self, store, proxy, s3_spot, monkeypatch):
        monkeypatch.setattr("storages.stores.s3.PAGE", 10)
        fill(s3_spot, 25)
        proxy.breaks(says(400, faults.EXPIRED), about="list-type=2", times=MANY, after=1)
        seen = []
        with pytest.raises(StoreDenied, match="expired"):
            seen.extend(one.key for one in store.list())
        assert len(seen) == 10

    def test_while_reading_and_writing_too(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"x" * 200_000)
        stream = store.open("a")
        stream.read(10)
        proxy.breaks(says(403, faults.EXPIRED), times=MANY)
        with pytest.raises(StoreDenied, match="expired"):
            stream.read()
        with pytest.raises(StoreDenied, match="expired"):
            store.stat("a")
        with pytest.raises(StoreDenied, match="expired"):
            put(store, "b")
        with pytest.raises(StoreDenied, match="expired"):
            store.delete(["a"])

    def test_one_closed_object_is_unreadable_and_the_store_is_not_away(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"x")
        proxy.breaks(says(403, faults.DENIED), about="/a$", times=MANY)
        with pytest.raises(Unreadable):
            store.read_at("a", 0, 1)
        with pytest.raises(Unreadable):
            store.stat("a")
        assert listed(store) == ["a"]

    def test_clocks_that_are_apart_are_said_so(self, store, proxy):
        proxy.breaks(says(403, faults.SKEWED), times=MANY)
        with pytest.raises(StoreDenied, match="clock"):
            listed(store)

    def test_nothing_of_an_answer_and_no_secret_gets_into_an_error(self, s3_spot, proxy):
        secret = Secret.of(access_key="AKIA-VISIBLE", secret_key="never-to-be-seen", session_token="nor-this")
        store = store_for(replace(s3_spot.config, endpoint=proxy.endpoint, credentials=secret))
        body = "<Error><Code>Nasty never-to-be-seen</Code><Message>DOE^JANE</Message></Error>"
        proxy.breaks(says(400, body), times=MANY)
        with pytest.raises(StoreAway) as refused:
            listed(store)
        for word in ("never-to-be-seen", "nor-this", "AKIA", "DOE"):
            assert word not in str(refused.value)
            assert word not in repr(store.config)
            assert word not in str(store.config.credentials)


class TestWriting:
    LARGE = b"z" * (writing.PART * 2 + 5)

    @pytest.mark.parametrize("fault", [says(503), reset, says(200, "")], ids=["busy", "reset", "lost"])
    def test_an_answer_that_gets_lost_does_not_make_it_taken(self, store, proxy, s3_spot, fault):
        """The first request was carried out; the client asks again and is told that something is there."""
        proxy.breaks(fault, method="PUT", reaches=True)
        assert put(store, "a", b"content").size == 7
        assert s3_spot.store.read_at("a", 0, 7) == b"content"

    def test_large_ones_survive_faults_of_their_parts(self, store, proxy, s3_spot):
        proxy.breaks(says(503), method="PUT", about="partNumber", times=2)
        proxy.breaks(reset, method="PUT", about="partNumber", times=1)
        proxy.breaks(says(500), method="POST", about="uploadId", times=1)
        put(store, "large", self.LARGE)
        with s3_spot.store.open("large") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == hashlib.sha256(self.LARGE).hexdigest()

    def test_an_upload_that_fails_leaves_neither_object_nor_parts(self, store, proxy, s3_spot):
        proxy.breaks(says(403, faults.EXPIRED), method="PUT", about="partNumber=2", times=MANY)
        with pytest.raises(StoreDenied):
            put(store, "large", self.LARGE)
        assert listed(s3_spot.store) == []
        assert s3_spot.store.abort_leftovers(timezone.now() + timedelta(days=1)) == 0

    # Moto says of every upload that it was begun in 2010.
    @pytest.mark.parametrize("s3_spot", ["strict-s3"], indirect=True)
    def test_uploads_that_nobody_finishes_are_swept_when_they_are_old(self, store, proxy, s3_spot):
        proxy.breaks(says(403, faults.EXPIRED), method="PUT", about="partNumber", times=MANY)
        proxy.breaks(says(403, faults.EXPIRED), method="DELETE", times=MANY)
        for key in ("large", "also/large"):
            with pytest.raises(StoreDenied):
                put(store, key, self.LARGE)
        inner = store_for(replace(s3_spot.config, prefix="also"))
        assert s3_spot.store.abort_leftovers(timezone.now() - timedelta(days=1)) == 0
        assert inner.abort_leftovers(timezone.now() + timedelta(days=1)) == 1
        assert s3_spot.store.abort_leftovers(timezone.now() + timedelta(days=1)) == 1
        assert s3_spot.store.abort_leftovers(timezone.now() + timedelta(days=1)) == 0

    def test_a_service_that_knows_no_condition_is_asked_without_it(self, store, proxy, s3_spot):
        unknown = says(501, "<Error><Code>NotImplemented</Code></Error>")
        proxy.breaks(unknown, method="PUT")
        assert put(store, "a").size == 5
        with pytest.raises(Taken):
            put(store, "a")

    def test_deleting_says_which_words_keep_it_from_it(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"x")
        refused = "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        proxy.breaks(says(200, refused), method="POST", about="delete", times=MANY)
        proxy.breaks(says(403, faults.DENIED), method="DELETE", times=MANY)
        with pytest.raises(StoreDenied, match="refuses"):
            store.delete(["a"])


class TestNobodyThere:
    def test_a_server_that_is_not_there_is_away_soon(self, s3_spot, proxy):
        nobody = store_for(replace(s3_spot.config, endpoint="http://127.0.0.1:9"))
        began = time.monotonic()
        with pytest.raises(StoreAway, match="cannot be reached"):
            listed(nobody)
        with pytest.raises(StoreAway, match="cannot be reached"):
            nobody.stat("a")
        assert time.monotonic() - began < 10

    def test_a_bucket_that_goes_away_is_no_deletion(self, store, proxy, s3_spot):
        s3_spot.plant("a", b"x")
        gone = "<Error><Code>NoSuchBucket</Code></Error>"
        proxy.breaks(says(404, gone), times=MANY)
        for ask in (lambda: listed(store), lambda: store.stat("a"), lambda: store.read_at("a", 0, 1)):
            with pytest.raises(StoreAway) as told:
                ask()
            assert not isinstance(told.value, Missing)
