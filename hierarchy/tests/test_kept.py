import os

from hierarchy.kept import Kept


def test_what_is_kept_is_read_back_until_it_is_gone(tmp_path):
    kept = Kept(tmp_path, limit=1000)
    kept.write("a/b", b"x")
    assert kept.read("a/b") == b"x"
    (tmp_path / "a" / "b").unlink()
    assert kept.read("a/b") is None


def test_the_least_recently_used_go_first(tmp_path):
    kept = Kept(tmp_path, limit=100)
    for age, name in enumerate("abcdef"):
        kept.write(name, b"x" * 20)
        os.utime(tmp_path / name, (age, age))
    kept.read("a")
    kept.shrink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "e", "f"]


def test_writing_looks_at_the_whole_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr("hierarchy.kept.LOOK_EVERY", 1)
    kept = Kept(tmp_path, limit=100)
    for name in range(50):
        kept.write(str(name), b"x" * 20)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 120


def test_nothing_half_written_is_left_when_the_disk_refuses(tmp_path):
    (tmp_path / "a").mkdir()
    Kept(tmp_path, limit=100).write("a", b"a folder stands where the name should be")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
