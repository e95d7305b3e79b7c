"""Names are hostile: they come in like any other, are kept byte for byte, and lead nowhere."""

import csv
import io
import os
from pathlib import Path

import pytest

from hierarchy.models import FileVersion
from importer import report
from importer.core.names import printable, raw
from importer.models import Item
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    digest,
    imported,
    instance,
    leftovers,
    members,
    put,
    reasons,
    run,
    start,
    tree,
)

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = [
    b"\xff\xfe not utf-8",
    b"caf\xe9",
    b"new\nline",
    b"tab\there",
    b'=HYPERLINK("x")',
    b"-dash",
    b"@at",
    b"+plus",
    b"'quoted'",
    b"\\x41 looks like an escape",
    b"back\\slash",
    "\u202eright to left".encode(),
    "\u2028line".encode(),
    "e\u0301 and \u00e9".encode(),
    b"x" * 255,
    "\u00fc".encode() * 127,
    b"%s %d {0}",
    b"; rm -rf ~",
    b"<script>alert(1)",
    b" outer ",
    b"CON",
    b"...",
    b"\x7f\x01\x1b[31m",
]


def place(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(data)


def test_odd_names_come_in_with_their_own_bytes_and_names(project, places, tmp_path):
    folder = tmp_path / "in" / "S" / "E" / "A"
    for number, name in enumerate(NAMES):
        place(folder, name, b"%d" % number)

    job = imported(project, tmp_path / "in")

    assert (job.imported, job.discovered) == (len(NAMES), len(NAMES))
    for number, name in enumerate(NAMES):
        item = Item.objects.get(job=job, path=printable(b"S/E/A/" + name))
        assert raw(item.path) == b"S/E/A/" + name
        version = FileVersion.objects.get(pk=item.placement.version_id)
        assert version.source_path == item.path
        assert version.digest == digest(b"%d" % number)
    assert leftovers(places) == []
    rows = list(csv.DictReader(io.StringIO("".join(report.audit_csv(job)))))
    assert len(rows) == len(NAMES)
    assert not [row for row in rows if row["src_path"][:1] in "=+-@"]


def test_dicom_in_folders_of_odd_names_comes_in(project, places, tmp_path):
    for number, name in enumerate(NAMES, 1):
        place(os.path.join(os.fsencode(tmp_path / "in"), name), name[:200] + b".dcm", instance(number))

    job = imported(project, tmp_path / "in")

    assert job.imported == len(NAMES)
    stored = next(places.archive.rglob("*.dicom.zip"))
    assert len(members(stored)) == len(NAMES)


def test_forty_folders_deep_beyond_the_longest_path_that_the_kernel_takes(project, places, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    handle = os.open(source, os.O_RDONLY)
    for level in range(40):
        name = f"{level:02}".ljust(200, "x")
        os.mkdir(name, dir_fd=handle)
        below = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    for name, data in (("1.dcm", instance(1)), ("notes.txt", b"deep")):
        with open(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=handle), "wb") as file:
            file.write(data)
    os.close(handle)

    job = imported(project, source)

    assert (job.imported, job.discovered) == (2, 2)
    assert sorted(tree(project)) == ["P01/study 1/1 - t1/1 - t1.dicom.zip", "P01/study 1/1 - t1/notes.txt"]
    assert run(start(project, source)).skipped == 2


def test_below_the_deepest_folder_that_is_looked_into_there_is_one_row(project, places, tmp_path):
    put(tmp_path / "in" / Path(*["d"] * 64) / "S.txt")
    put(tmp_path / "in" / Path(*["d"] * 65) / "T.txt")

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {f"{'d/' * 64}S.txt": "imported", f"{'d/' * 65}": "failed: Too deep"}


def test_labels_of_nothing_but_dots_are_missing(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, patient=".."))
    put(tmp_path / "in" / "2.dcm", instance(1, series=2, StudyDescription="...", SeriesDescription="."))

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {"1.dcm": "conflict: Missing label", "2.dcm": "imported"}
    assert [path.rpartition("/")[0] for path in tree(project)] == ["P01/2020-01-02T03-04-05/2 - 2020-01-02T03-04-05"]


@pytest.mark.parametrize(
    "label", ["../../../etc", "/etc/passwd", "..\\..\\x", "a\0b", "=cmd|' /C calc'!A0", "\u202egnp.exe", "x" * 64, "."]
)
def test_a_tag_never_leads_out_of_the_archive(project, places, tmp_path, label):
    said = {"patient": label, "StudyDescription": label, "SeriesDescription": label}
    put(tmp_path / "in" / "1.dcm", instance(1, **said))

    job = imported(project, tmp_path / "in")

    for path in tmp_path.rglob("*"):
        assert (
            path.is_relative_to(tmp_path / "in")
            or path.is_relative_to(places.archive)
            or (path.is_relative_to(places.quarantine))
        )
    assert set(became(job).values()) <= {"imported", "conflict"}
    stored = [*bytes_under(places.archive), *bytes_under(places.quarantine)]
    assert len(stored) == 1
    assert ".." not in Path(stored[0]).parts
    rows = list(csv.DictReader(io.StringIO("".join(report.audit_csv(job)))))
    assert not [row for row in rows if row["dst_path"][:1] in {"=", "+", "-", "@"}]


def test_names_that_are_one_once_cleaned_are_held_apart(project, places, tmp_path):
    folder = tmp_path / "in" / "S" / "E" / "A"
    place(folder, b"a:b", b"first")
    place(folder, b"a?b", b"second")
    place(folder, b"a|b", b"first")

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "S/E/A/a:b": "imported",
        "S/E/A/a?b": "conflict: File already exists with other content",
        "S/E/A/a|b": "skipped: File already exists",
    }


def test_names_that_differ_in_case_or_form_alone_both_stand(project, places, tmp_path):
    folder = tmp_path / "in" / "S" / "E" / "A"
    for number, name in enumerate(("a.txt", "A.txt", "\u00e9.txt", "e\u0301.txt")):
        place(folder, name.encode(), b"%d" % number)

    assert imported(project, tmp_path / "in").imported == 4


def test_the_source_itself_may_have_any_name(project, places, tmp_path):
    root = os.path.join(os.fsencode(tmp_path), b"drop \xff\n\xe9")
    place(root, b"1.dcm", instance(1))

    job = imported(project, root)

    assert job.imported == 1
    assert raw(job.source_root) == root
