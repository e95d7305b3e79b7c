"""The parts that all stores are made of: keys, order, secrets, reading and writing in bounded memory."""

import hashlib
import io
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storages.stores import BadListing, Changed, Listed, StoreAway, keys, patience, writing
from storages.stores.listing import in_order
from storages.stores.patience import Passing, Tries, asked_to_wait, patiently
from storages.stores.reading import opened


class TestKeys:
    @given(st.binary())
    def test_every_key_comes_back_exactly(self, raw):
        text = keys.printable(raw)
        assert keys.raw(text) == raw
        assert "\0" not in text
        text.encode()

    @given(st.text())
    def test_what_a_service_calls_an_object_comes_back_exactly(self, name):
        raw = keys.of_service(name)
        assert keys.for_service(keys.raw(keys.printable(raw))) == name

    def test_a_lone_surrogate_is_a_name_too(self):
        raw = keys.of_service("a\ud800b")
        keys.printable(raw).encode()
        assert keys.for_service(keys.raw(keys.printable(raw))) == "a\ud800b"

    def test_a_prefix_is_a_folder(self):
        assert [keys.folder(text) for text in ("", "a", "a/b/", "/", "\\xff")] == [b"", b"a/", b"a/b/", b"/", b"\xff/"]


def one(key):
    return Listed(key, 1, 1, key)


def names(pages, **how):
    return [found.key for found in in_order(pages, after="", **how)]


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.0)


class TestOrder:
    def test_what_breaks_off_goes_on_behind_the_last_one(self):
        asked = []

        def pages(behind):
            asked.append(behind)
            left = [key for key in "abcdef" if key.encode() > behind]
            for key in left[:2]:
                yield one(key)
            if len(left) > 2:
                raise Passing("broke off")

        assert names(pages) == list("abcdef")
        assert asked == [b"", b"b", b"d"]

    def test_without_progress_it_ends(self):
        def pages(_behind):
            yield one("a")
            raise Passing("broke off")

        with pytest.raises(StoreAway, match="broke off"):
            names(pages)

    def test_a_key_from_before_that_was_never_seen_is_out_of_order(self):
        with pytest.raises(BadListing, match="out of order"):
            names(lambda _: map(one, ["a", "c", "b"]))

    def test_repeating_without_end_ends(self, monkeypatch):
        monkeypatch.setattr("storages.stores.listing.REMEMBERED", 50)

        def pages(_behind):
            while True:
                yield one("a")

        with pytest.raises(BadListing, match="over and over"):
            names(pages)

    def test_memory_of_what_was_seen_is_bounded(self, monkeypatch):
        monkeypatch.setattr("storages.stores.listing.REMEMBERED", 10)
        many = [f"{number:05}" for number in range(1000)]
        assert names(lambda _: map(one, many)) == many
        with pytest.raises(BadListing):
            names(lambda _: map(one, [*many, many[0]]))
        assert names(lambda _: map(one, [*many, many[-1], many[-5]])) == many


class TestPatience:
    def test_it_asks_a_few_times_and_says_what_it_was(self):
        asked = []

        def ask():
            asked.append(1)
            raise Passing("busy", finally_=Changed)

        with pytest.raises(Changed, match="busy"):
            patiently(ask)
        assert len(asked) == patience.ATTEMPTS

    def test_waits_grow_and_have_jitter(self, monkeypatch):
        waited = []
        monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 1.0)
        monkeypatch.setattr(patience, "ATTEMPTS", 6)
        monkeypatch.setattr(patience.time, "sleep", waited.append)
        monkeypatch.setattr(patience.random, "uniform", lambda low, high: (low, high)[1])
        tries = Tries()
        for _ in range(5):
            tries.wait_or_raise(Passing("busy"))
        assert waited == [1, 2, 4, 8, 16]
        monkeypatch.setattr(patience.random, "uniform", random.Random(1).uniform)
        tries = Tries()
        tries.wait_or_raise(Passing("busy", after=3))
        tries.wait_or_raise(Passing("busy", after=1e9))
        assert waited[5] == 3
        assert waited[6] == patience.LONGEST_WAIT_SECONDS

    @pytest.mark.parametrize(
        ("header", "seconds"), [("2", 2), (None, 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)]
    )
    def test_only_seconds_are_understood(self, header, seconds):
        assert asked_to_wait(header) == seconds


class Held:
    """Content that is read by its place, and how."""

    def __init__(self, content):
        self.content, self.asked = content, []

    def read_at(self, _key, offset, length, *, expect=None):
        self.asked.append((offset, length))
        return self.content[offset : offset + length]


class TestReading:
    def open(self, content):
        held = Held(content)
        return held, opened(held, Listed("a", len(content), 1, "e"))

    @given(st.binary(max_size=400_000), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300_000)), max_size=20))
    def test_it_reads_like_a_file(self, content, steps):
        _, stream = self.open(content)
        real = io.BytesIO(content)
        for what, number in steps:
            if what:
                assert stream.read(number) == real.read(number)
            else:
                assert stream.seek(number) == real.seek(number)
        assert stream.read() == real.read()

    def test_a_header_costs_one_small_request_and_the_whole_few_large_ones(self):
        held, stream = self.open(bytes(100_000_000))
        stream.read(100)
        assert held.asked == [(0, 65536)]
        while stream.read(1 << 20):
            pass
        assert len(held.asked) < 20
        assert max(length for _, length in held.asked) == 8 * 1024 * 1024


class TestWriting:
    def test_parts_are_as_many_as_a_service_takes(self):
        assert writing.part_size(1) == writing.PART
        for size in (10 * 2**30, 5 * 2**40):
            assert size / writing.part_size(size) <= writing.MOST_PARTS

    def test_an_error_in_one_part_ends_the_others_and_is_told(self):
        begun = []

        def work(number, _item):
            begun.append(number)
            if number == 3:
                raise Changed("third")

        with pytest.raises(Changed, match="third"):
            writing.in_parallel(iter(range(1000)), work)
        assert len(begun) < 20

    def test_few_parts_are_in_memory_at_once(self):
        alive = []

        class Part:
            def __init__(self):
                alive.append(1)

            def __del__(self):
                alive.pop()

        most = []
        writing.in_parallel((Part() for _ in range(50)), lambda _n, _p: most.append(len(alive)))
        assert max(most) <= writing.AT_ONCE + 1

    @given(st.binary(max_size=3000), st.integers(1, 700))
    def test_what_is_read_is_what_is_digested(self, content, step):
        incoming = writing.Incoming(io.BytesIO(content), size=len(content), sha256=hashlib.sha256(content).hexdigest())
        found = b""
        while block := incoming.read(step):
            found += block
        assert found == content
        assert incoming.md5.digest() == hashlib.md5(content).digest()

    def test_a_pipe_is_read_to_its_end(self):
        read, write = os.pipe()
        os.write(write, b"some ")
        os.write(write, b"bytes")
        os.close(write)
        with os.fdopen(read, "rb", buffering=0) as stream:
            assert writing.Incoming(stream, size=10, sha256="").read() == b"some bytes"
