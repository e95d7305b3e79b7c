"""One suite for every kind of store: the same assertions on a folder, on S3 (a lax and a strict one), Azure, Google."""

import hashlib
import io
import threading
import zipfile
from dataclasses import replace

import pytest

from storages.stores import (
    BadKey,
    Changed,
    Kind,
    Missing,
    StoreAway,
    StoreConfig,
    Taken,
    Unreadable,
    keys,
    store_for,
    writing,
)
from storages.stores.contract import ListedKind

pytestmark = pytest.mark.service


def put(store, key, content=b"bytes"):
    return store.put(key, io.BytesIO(content), size=len(content), sha256=hashlib.sha256(content).hexdigest())


def listed(store, prefix="", after=""):
    """Objects; a gateway to a file system lists emptied folders as placeholders."""
    return [one.key for one in store.list(prefix, after) if one.kind is ListedKind.FILE]


def whole(store, key):
    with store.open(key) as stream:
        return stream.read()


def test_what_is_put_is_listed_stated_and_read_back(spot):
    made = put(spot.store, "a/b.dcm", b"hello")
    assert (made.key, made.size, made.kind) == ("a/b.dcm", 5, ListedKind.FILE)
    assert [one for one in spot.store.list() if one.key != "a/b.dcm"] == []
    there = next(spot.store.list())
    assert (there.key, there.size, there.etag, there.mtime_ns) == (made.key, made.size, made.etag, made.mtime_ns)
    assert there.etag
    assert abs(there.mtime_ns / 1e9 - spot_time()) < 600
    assert spot.store.stat("a/b.dcm") == made
    assert whole(spot.store, "a/b.dcm") == b"hello"


def spot_time():
    import time

    return time.time()


def test_an_empty_store_lists_nothing(spot):
    assert listed(spot.store) == []
    assert spot.store.folders().objects == ()


def test_an_empty_object_is_an_object(spot):
    assert put(spot.store, "empty", b"").size == 0
    assert whole(spot.store, "empty") == b""
    assert spot.store.read_at("empty", 0, 10) == b""
    assert [one.kind for one in spot.store.list()] == [ListedKind.FILE]


def test_keys_stand_in_the_order_of_their_bytes(spot):
    names = ["a/b", "a.txt", "a-", "a0", "B", "a/c/d", "a/c.d", "a", "z/é", "z/e", "z/\U0001f600", "z/\uffee", "0"]
    names = [name for name in names if name != "a" or spot.name not in {"local", "strict-s3"}]
    for name in names:
        put(spot.store, name)
    code = "utf-16-be" if spot.name == "azure" else "utf-8"
    assert listed(spot.store) == sorted(names, key=lambda name: name.encode(code))


def test_a_prefix_narrows_the_listing_wherever_it_ends(spot):
    for name in ("a/b/1", "a/b/2", "a/bc/3", "a/c", "b/b/1"):
        put(spot.store, name)
    assert listed(spot.store, "a/b") == ["a/b/1", "a/b/2", "a/bc/3"]
    assert listed(spot.store, "a/b/") == ["a/b/1", "a/b/2"]
    assert listed(spot.store, "a/b/2") == ["a/b/2"]
    assert listed(spot.store, "nothing") == []


def test_a_listing_goes_on_behind_any_key(spot):
    names = ["a", "b/1", "b/2", "b/2/x", "b3", "c"]
    names = [name for name in names if name != "b/2" or spot.name not in {"local", "strict-s3"}]
    for name in names:
        put(spot.store, name)
    for after in [*names, "", "b", "b/", "b/1x", "zzz"]:
        assert listed(spot.store, after=after) == sorted(name for name in names if name > after), after
    assert listed(spot.store, "b/", "b/1") == [name for name in names if name.startswith("b/2")]


def test_a_store_sees_nothing_but_its_prefix_and_writes_nowhere_else(spot):
    for name in ("in/a", "in/sub/b", "inside", "out/c"):
        put(spot.store, name)
    inner = store_for(replace(spot.config, prefix="in"))
    assert listed(inner) == ["a", "sub/b"]
    assert inner.folders().folders == ("sub/",)
    assert whole(inner, "sub/b") == b"bytes"
    put(inner, "new")
    assert listed(spot.store) == ["in/a", "in/new", "in/sub/b", "inside", "out/c"]
    with pytest.raises(Missing):
        inner.stat("../out/c") if spot.name != "azure" else inner.stat("c")


def test_one_level_at_a_time_is_browsed_page_by_page(spot):
    for name in ("a/1", "a/2", "b/1", "c", "d", "e/f/g"):
        put(spot.store, name)
    level = spot.store.folders()
    assert level.folders == ("a/", "b/", "e/")
    assert [one.key for one in level.objects] == ["c", "d"]
    assert level.following == ""
    assert spot.store.folders("e/").folders == ("e/f/",)
    assert [one.key for one in spot.store.folders("e/f/").objects] == ["e/f/g"]
    found, after = [], ""
    for _ in range(10):
        page = spot.store.folders(after=after, limit=2)
        # Google's emulator has no pages of folders.
        assert len(page.folders) + len(page.objects) <= 2 or spot.name == "google"
        found += [*page.folders, *(one.key for one in page.objects)]
        if not (after := page.following):
            break
    assert sorted(found) == ["a/", "b/", "c", "d", "e/"]


def test_a_part_of_an_object_is_read_by_its_place(spot):
    put(spot.store, "a", bytes(range(256)))
    there = spot.store.stat("a")
    assert spot.store.read_at("a", 0, 4) == b"\0\1\2\3"
    assert spot.store.read_at("a", 250, 4, expect=there) == bytes([250, 251, 252, 253])
    assert spot.store.read_at("a", 250, 100, expect=there) == bytes(range(250, 256))
    assert spot.store.read_at("a", 256, 10, expect=there) == b""
    assert spot.store.read_at("a", 5000, 10) == b""
    assert spot.store.read_at("a", 3, 0) == b""


def test_an_opened_object_can_be_read_in_any_order(spot):
    content = bytes(range(256)) * 4096
    put(spot.store, "a", content)
    with spot.store.open("a") as stream:
        assert stream.seekable()
        assert stream.read(10) == content[:10]
        assert stream.seek(-5, io.SEEK_END) == len(content) - 5
        assert stream.read() == content[-5:]
        assert stream.seek(300_000) == 300_000
        assert stream.read(300_000) == content[300_000:600_000]
        assert stream.tell() == 600_000
        stream.seek(0)
        assert stream.read() == content


def test_an_archive_is_read_where_it_lies(spot):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for number in range(50):
            target.writestr(f"{number}.dcm", bytes([number]) * 20_000)
    put(spot.store, "series.zip", packed.getvalue())
    with spot.store.open("series.zip") as stream, zipfile.ZipFile(stream) as found:
        assert found.read("31.dcm") == b"\x1f" * 20_000


def test_what_is_not_there_is_missing(spot):
    put(spot.store, "folder/a")
    for key in ("nothing", "folder", "folder/", "folder/a/b"):
        with pytest.raises(Missing):
            spot.store.stat(key)
        with pytest.raises(Missing):
            spot.store.open(key)
        with pytest.raises(Missing):
            spot.store.read_at(key, 0, 1)


def test_without_its_bucket_nothing_is_missing_but_the_store_is_away(spot):
    away = store_for(replace(spot.config, bucket=spot.config.bucket + "-gone"))
    for ask in (
        lambda: list(away.list()),
        lambda: away.stat("a"),
        lambda: away.read_at("a", 0, 1),
        lambda: put(away, "a"),
        away.folders,
    ):
        with pytest.raises(StoreAway):
            ask()


def test_an_object_that_is_another_by_now_is_changed_and_never_read_half(spot):
    put(spot.store, "a", b"x" * 300_000)
    before = spot.store.stat("a")
    stream = spot.store.open("a")
    assert stream.read(10) == b"x" * 10
    spot.plant("a", b"y" * 300_001)
    with pytest.raises(Changed):
        stream.read()
    stream.close()
    with pytest.raises(Changed):
        spot.store.read_at("a", 0, 10, expect=before)
    with pytest.raises(Changed):
        spot.store.open("a", expect=before).read(1)
    assert spot.store.stat("a").etag != before.etag


def test_an_object_is_never_written_over(spot):
    put(spot.store, "a", b"first")
    with pytest.raises(Taken):
        put(spot.store, "a", b"second")
    assert whole(spot.store, "a") == b"first"


def test_of_many_who_want_one_key_one_gets_it(spot):
    won, lost = [], []
    start = threading.Barrier(4)

    def run(number):
        start.wait()
        try:
            put(spot.store, "a", bytes([number]) * 1000)
        except (Taken, StoreAway) as error:
            lost.append(error)
        else:
            won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) + len(lost) == 4
    assert whole(spot.store, "a") in {bytes([number]) * 1000 for number in range(4)}
    if spot.name != "strict-s3":
        assert len(won) == 1
        assert whole(spot.store, "a") == bytes(won) * 1000


@pytest.mark.parametrize(
    ("size", "digest"),
    [(4, ""), (6, ""), (5, hashlib.sha256(b"other").hexdigest())],
    ids=["longer than said", "shorter than said", "another digest"],
)
def test_what_is_not_as_promised_is_not_kept(spot, size, digest):
    with pytest.raises(Changed):
        spot.store.put("a", io.BytesIO(b"bytes"), size=size, sha256=digest)
    assert listed(spot.store) == []


def test_a_large_object_that_is_not_as_promised_is_not_kept_either(spot):
    content = b"z" * (writing.PART + 10)
    for size, digest in ((len(content) + 1, ""), (len(content), "0" * 64), (len(content) - 1, "")):
        with pytest.raises(Changed):
            spot.store.put("a", io.BytesIO(content), size=size, sha256=digest)
    assert listed(spot.store) == []


def test_a_large_object_goes_up_in_parts_and_comes_back_the_same(spot):
    content = b"".join(bytes([n]) * 1_000_003 for n in range(20))
    made = put(spot.store, "large", content)
    assert made.size == len(content)
    with spot.store.open("large") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == hashlib.sha256(content).hexdigest()
    with pytest.raises(Taken):
        put(spot.store, "large", content[:-1])
    assert spot.store.stat("large") == made


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end(spot):
    class Trickle(io.RawIOBase):
        left = 5000

        def read(self, size=-1):
            taken = min(self.left, 700, size if size >= 0 else self.left)
            self.left -= taken
            return b"t" * taken

    spot.store.put("a", Trickle(), size=5000)
    assert whole(spot.store, "a") == b"t" * 5000


def test_deleting_takes_many_at_once_and_what_is_gone_is_gone(spot):
    for number in range(12):
        put(spot.store, f"d/{number:02}")
    spot.store.delete(f"d/{number:02}" for number in range(11))
    assert listed(spot.store) == ["d/11"]
    spot.store.delete(["d/00", "nothing", "d/11"])
    assert listed(spot.store) == []
    spot.store.delete([])


def test_copies_are_made_inside_a_store_and_between_prefixes(spot):
    made = put(spot.store, "a/source", b"content")
    copy = spot.store.copy_from(spot.store, "a/source", "b/copy", expect=made)
    assert (copy.key, copy.size) == ("b/copy", 7)
    other = store_for(replace(spot.config, prefix="elsewhere"))
    other.copy_from(spot.store, "b/copy", "here")
    assert whole(spot.store, "elsewhere/here") == b"content"
    with pytest.raises(Taken):
        spot.store.copy_from(spot.store, "a/source", "b/copy")
    with pytest.raises(Missing):
        spot.store.copy_from(spot.store, "nothing", "c")
    spot.plant("a/source", b"changed since")
    with pytest.raises(Changed):
        spot.store.copy_from(spot.store, "a/source", "c", expect=made)
    assert "c" not in listed(spot.store)


def test_copies_between_kinds_go_through_here(spot, tmp_path):
    (tmp_path / "other").mkdir()
    folder = store_for(StoreConfig(Kind.LOCAL, str(tmp_path / "other")))
    put(folder, "in/a", b"from a folder")
    spot.store.copy_from(folder, "in/a", "a")
    assert whole(spot.store, "a") == b"from a folder"
    folder.copy_from(spot.store, "a", "back")
    assert whole(folder, "back") == b"from a folder"


def test_a_store_knows_itself_again_and_no_other(spot, tmp_path):
    mine = spot.store.identity()
    assert mine == store_for(replace(spot.config, region="eu-west-1")).identity()
    assert mine.startswith(f"{spot.config.kind}:")
    if spot.name != "local":
        assert mine != store_for(replace(spot.config, bucket="another")).identity()
    else:
        (tmp_path / "another").mkdir()
        assert mine != store_for(replace(spot.config, bucket=str(tmp_path / "another"))).identity()


ODD = [
    "-rf", " leading and trailing ", "a b/c#d?e&f=g%20h+i", "100%", "é/ü.dcm", "\U0001f9e0.dcm", "..a", "a..b", "...",
    "~", "$HOME", "a:b", "a::b", "x" * 255, "deep/" * 40 + "end", "'quoted'\"twice\"", "<&>", "a;b", "CON", "a,b",
    "\u202egnp.dcm", "e\u0301", "\\x41", "\\x5c\\", "a\\b",
]  # fmt: skip
CONTROL = ["new\nline", "tab\tin", "return\r", "bell\x07", "\x7f", "\x1b[31m", "\u0085"]
# What means something to file systems, and to whoever shortens paths.
WAYS = ["/leading", "//a", "a//b", "a///b", "a/./b", "a/../b", "../a", "..", ".", "../../../../etc/passwd", "trailing/"]


def roundtrip(spot, name):
    """Put, listed, read and deleted under its exact name; False where this kind says that it cannot hold it."""
    key = keys.printable(name.encode())
    try:
        made = put(spot.store, key, b"odd")
    except BadKey:
        assert listed(spot.store) == ["other"]
        return False
    assert made.key == key
    assert sorted(listed(spot.store)) == sorted([key, "other"])
    assert whole(spot.store, key) == b"odd"
    assert spot.store.read_at(key, 1, 1) == b"d"
    spot.store.delete([key])
    assert listed(spot.store) == ["other"]
    return True


def kept(spot, names):
    put(spot.store, "other")
    return [name for name in names if roundtrip(spot, name)]


def test_odd_keys_are_kept_listed_and_read(spot):
    left_out = {"azure": "\\"}.get(spot.name, "nothing")
    assert kept(spot, ODD) == [name for name in ODD if left_out not in name]


def test_control_characters_are_kept_where_the_service_takes_them(spot):
    # Moto routes no address with a line break, Azurite lists no name with what XML has no way to write.
    too_odd = {"s3": "\n\r", "azure": "\x07\x1b"}.get(spot.name, "")
    names = [name for name in CONTROL if not set(name) & set(too_odd)]
    assert kept(spot, names) == names


# The gateway of JuiceFS stands before a file system, which has ways of its own.
@pytest.mark.parametrize("spot", ["local", "s3", "azure", "google"], indirect=True)
def test_keys_that_look_like_ways_lead_nowhere_else(spot):
    refused = {
        "local": set(WAYS),
        "azure": {way for way in WAYS if {".", ".."} & set(way.split("/"))},
        "google": {".", ".."},
    }.get(spot.name, set())
    assert kept(spot, WAYS) == [way for way in WAYS if way not in refused]
    for way in refused:
        with pytest.raises((Missing, Unreadable)):
            spot.store.read_at(way, 0, 1)


@pytest.mark.parametrize("spot", ["s3", "azure", "google"], indirect=True)
def test_a_name_can_be_object_folder_and_placeholder_at_once(spot):
    for key, content in (("a", b"object"), ("a/", b""), ("a/b", b"below"), ("full/", b"no placeholder")):
        spot.plant(key, content)
    found = {one.key: (one.size, str(one.kind)) for one in spot.store.list()}
    assert found == {"a": (6, "file"), "a/": (0, "placeholder"), "a/b": (5, "file"), "full/": (14, "file")}
    assert whole(spot.store, "a/") == b""
    assert whole(spot.store, "full/") == b"no placeholder"
    level = spot.store.folders()
    assert level.folders == ("a/", "full/")
    assert [one.key for one in level.objects] == ["a"]
    assert [one.key for one in spot.store.folders("a/").objects] == ["a/b"]
    inner = store_for(replace(spot.config, prefix="a"))
    assert [one.key for one in inner.list()] == ["b"]
    with pytest.raises(Taken):
        put(spot.store, "a/")


def test_keys_of_full_length_are_kept_and_longer_ones_refused(spot):
    parts = 4 if spot.name != "local" else 5
    key = "/".join(["k" * (1024 // parts - 1)] * parts)
    key += "k" * (1024 - len(key) if spot.name != "local" else 0)
    assert roundtrip_of(spot, key)
    if spot.name != "local":
        with pytest.raises(BadKey):
            put(spot.store, key + "k")
    else:
        with pytest.raises(BadKey):
            put(spot.store, "k" * 256)


def roundtrip_of(spot, key):
    put(spot.store, "other")
    return roundtrip(spot, key)


def test_bytes_that_are_no_utf8_are_refused_by_services_and_kept_in_folders(spot):
    key = keys.printable(b"\xff\xfe.dcm")
    assert key == "\\xff\\xfe.dcm"
    if spot.name == "local":
        assert roundtrip_key(spot, key)
        return
    with pytest.raises(BadKey):
        put(spot.store, key)
    with pytest.raises(Missing):
        spot.store.stat(key)


def roundtrip_key(spot, key):
    put(spot.store, key, b"odd")
    return listed(spot.store) == [key] and whole(spot.store, key) == b"odd"
