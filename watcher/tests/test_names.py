import re

import pytest

from conftest import ROOT
from watcher.readiness import NameVerdict, is_temporary, judge_name
from watcher.states import BatchStatus, Completion, WatchMode

PAGE = ROOT / "docs" / "operations.md"

READY, UNFINISHED, IGNORED = NameVerdict.READY_NAME, NameVerdict.UNFINISHED, NameVerdict.IGNORED

TABLE = [
    (b"ST.tmp", UNFINISHED),
    (b"ST.tmp2343", UNFINISHED),
    (b"ST.TMP1", UNFINISHED),
    (b"ST.tmpl", UNFINISHED),
    (b".tmp2343", UNFINISHED),
    (b"x.part", UNFINISHED),
    (b"x.Partial", UNFINISHED),
    (b"x.filepart", UNFINISHED),
    (b"x.crdownload", UNFINISHED),
    (b"x~", UNFINISHED),
    (b".hidden", UNFINISHED),
    (b"\xff\xfe.tmp9", UNFINISHED),
    (b"two\nlines.tmp", UNFINISHED),
    (b"ST", READY),
    (b"tmp", READY),
    (b"tmp.2343", READY),
    (b"1.2.840.113619.2", READY),
    (b"a.tmp1.bak", READY),
    (b"ST.", READY),
    (b"-rf", READY),
    (b"\xff\xfe", READY),
    (b"part", READY),
    (b".DS_Store", IGNORED),
    (b"._a", IGNORED),
    (b"Thumbs.db", IGNORED),
    (b"desktop.ini", IGNORED),
    (b"@eaDir", IGNORED),
    (b".stfolder", IGNORED),
    (b"__MACOSX", IGNORED),
    (b"lost+found", IGNORED),
]


@pytest.mark.parametrize(("name", "verdict"), TABLE)
def test_a_name_is_judged_as_the_table_says(name, verdict):
    assert judge_name(name) is verdict


def test_a_dot_file_inside_a_delivery_does_not_hold_it_back():
    assert not is_temporary(b".bidsignore")


def test_a_hidden_temporary_name_inside_a_delivery_holds_it_back():
    assert is_temporary(b".tmp2343")


def documented():
    """The table of names in docs/operations.md."""
    rows = re.findall(r"^\| `(.+)` \| (ready name|unfinished|ignored) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 15
    return rows


def test_the_documented_names_get_the_documented_verdicts():
    assert {name: judge_name(name.encode()).value for name, _ in documented()} == dict(documented())


def test_every_state_completion_and_watch_mode_is_documented():
    for value in (*BatchStatus, *Completion, *WatchMode):
        assert f"| `{value}`" in PAGE.read_text()
