"""Samples: whose they are, what they hold, how long they stay."""

import logging
import os
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from hierarchy.errors import Refused
from hierarchy.tests.factories import NOW
from importer import samples, tasks
from importer.core.rules.samples import EXAMPLES, unpack
from importer.models import RuleSample
from importer.tests.core.made import dataset, file_of

pytestmark = pytest.mark.django_db


def upload(name="1.dcm", **tags):
    return SimpleUploadedFile(name, file_of(dataset(**tags)))


@pytest.fixture
def viewer(people):
    return people.viewer


def facts(sample):
    return unpack(bytes(RuleSample.objects.get(pk=sample.pk).facts))


def test_an_uploaded_image_is_known_by_every_tag_that_a_rule_may_ask_for(viewer):
    made = samples.from_uploads([upload(EchoTime="2.5", InstitutionName="Ward")], actor=viewer, now=NOW)
    (fact,) = facts(made)
    assert fact.is_dicom
    assert (fact.header.get("PatientID"), fact.header.get("EchoTime"), fact.header.get("InstitutionName")) == (
        "P01", "2.5", "Ward",
    )  # fmt: skip
    assert fact.file.mtime_ns == int(NOW.timestamp()) * 10**9


def test_what_is_no_image_has_no_header_and_what_only_claims_to_be_one_says_why(viewer):
    files = [SimpleUploadedFile("notes.txt", b"notes"), SimpleUploadedFile("2.dcm", b"notes")]
    notes, claims = facts(samples.from_uploads(files, actor=viewer, now=NOW))
    assert (notes.is_dicom, notes.header, notes.bad) == (False, None, None)
    assert claims.is_dicom
    assert claims.bad.reason == "Unreadable: no DICM prefix"


def test_an_image_is_found_by_its_content_too(viewer):
    (fact,) = facts(samples.from_uploads([upload("scan")], actor=viewer, now=NOW))
    assert fact.is_dicom


def test_names_with_folders_are_taken_where_the_browser_gave_them(viewer):
    made = samples.from_uploads([upload("1.dcm")], paths=["/P1/../t1/1.dcm"], actor=viewer, now=NOW)
    assert [fact.path for fact in facts(made)] == ["P1/t1/1.dcm"]


def test_names_that_do_not_fit_the_files_are_left_alone(viewer):
    made = samples.from_uploads([upload("1.dcm")], paths=["a", "b"], actor=viewer, now=NOW)
    assert [fact.path for fact in facts(made)] == ["1.dcm"]


def test_nothing_uploaded_is_refused(viewer):
    with pytest.raises(Refused, match="Choose files first"):
        samples.from_uploads([], actor=viewer, now=NOW)


def test_more_than_fifty_files_are_refused(viewer):
    with pytest.raises(Refused, match="51 files are too many: choose up to 50"):
        samples.from_uploads([SimpleUploadedFile("a", b"a")] * 51, actor=viewer, now=NOW)


def test_more_than_two_hundred_megabytes_are_refused(viewer, monkeypatch):
    monkeypatch.setattr(samples, "MOST_BYTES", 3)
    with pytest.raises(Refused, match="4 bytes are too much"):
        samples.from_uploads([SimpleUploadedFile("a", b"aaaa")], actor=viewer, now=NOW)


def test_pasted_names_are_relative_and_each_comes_once(viewer):
    made = samples.from_paths("./a/1.dcm\n\n /a//1.dcm \nC:\\data\\2.dcm\r\nb/c.nii", actor=viewer, now=NOW)
    assert [fact.path for fact in facts(made)] == ["a/1.dcm", "C:/data/2.dcm", "b/c.nii"]
    assert made.files == 3


def test_pasting_nothing_is_refused(viewer):
    with pytest.raises(Refused, match="one per line"):
        samples.from_paths(" \n", actor=viewer, now=NOW)


def test_pasting_more_than_ten_thousand_names_is_refused(viewer):
    with pytest.raises(Refused, match="10,001 paths are too many"):
        samples.from_paths("\n".join(f"a/{n}" for n in range(10_001)), actor=viewer, now=NOW)


def test_a_folder_gives_its_names_and_headers_of_each_of_its_folders(viewer, dicom_study):
    made = samples.from_folder(os.fsencode(dicom_study), title="ST-1", actor=viewer, now=NOW)
    found = facts(made)
    assert len(found) == 17
    assert {fact.header.get("PatientID") for fact in found} == {"98890234"}


def test_of_a_large_folder_fifty_headers_are_read_and_shown_first(viewer, tmp_path):
    content = file_of(dataset())
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for n in range(30):
            (tmp_path / folder / f"{n:02}.dcm").write_bytes(content)
    found = facts(samples.from_folder(os.fsencode(tmp_path), title="", actor=viewer, now=NOW))
    assert [fact.header is not None for fact in found] == [True] * 50 + [False] * 10
    assert [sum(fact.path.startswith(f) for fact in found[:50]) for f in ("a/", "b/")] == [25, 25]


def test_links_in_a_folder_are_not_followed(viewer, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    found = facts(samples.from_folder(os.fsencode(tmp_path), title="", actor=viewer, now=NOW))
    assert [fact.path for fact in found] == ["a.txt"]


@pytest.mark.parametrize("path", ["/nowhere/at/all", None])
def test_a_folder_that_is_gone_or_empty_is_refused(viewer, tmp_path, path):
    with pytest.raises(Refused):
        samples.from_folder(os.fsencode(path or tmp_path), title="", actor=viewer, now=NOW)


def test_nobody_else_sees_a_sample_the_admin_of_the_site_included(people, viewer):
    made = samples.from_paths("a", actor=viewer, now=NOW)
    assert list(samples.mine(viewer)) == [made]
    assert not samples.mine(people.site_admin).exists()


def test_without_a_sample_there_are_examples():
    assert samples.facts_of(None) == EXAMPLES


def test_samples_go_after_a_day_with_the_existing_cleaning_up(viewer, monkeypatch, places):
    samples.from_paths("old", actor=viewer, now=NOW - timedelta(days=1, seconds=1))
    young = samples.from_paths("young", actor=viewer, now=NOW)
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW)
    tasks.drop_leftovers()
    assert list(RuleSample.objects.all()) == [young]


def test_of_one_person_the_newest_twenty_stay(viewer, people):
    other = samples.from_paths("other", actor=people.uploader, now=NOW)
    made = [samples.from_paths(f"{n}", actor=viewer, now=NOW) for n in range(22)]
    assert list(samples.mine(viewer)) == made[:1:-1]
    assert RuleSample.objects.filter(pk=other.pk).exists()


def test_no_value_of_a_tag_reaches_a_log(viewer, caplog):
    caplog.set_level(logging.DEBUG)
    samples.from_uploads([upload(PatientID="SECRET", PatientName="Secret^Person")], actor=viewer, now=NOW)
    assert "secret" not in caplog.text.lower()


def test_a_delivery_is_seen_from_inside_and_never_through_a_link(viewer, tmp_path):
    delivery = tmp_path / "drop" / "ST-1" / "MR"
    delivery.mkdir(parents=True)
    (delivery / "1.txt").write_bytes(b"a")
    (tmp_path / "drop" / "ST-2").symlink_to(delivery)
    drop = os.fsencode(tmp_path / "drop")
    found = facts(samples.from_folder(drop, below="ST-1", title="", actor=viewer, now=NOW))
    assert [fact.path for fact in found] == ["MR/1.txt"]
    with pytest.raises(Refused):
        samples.from_folder(drop, below="ST-2", title="", actor=viewer, now=NOW)


def test_in_a_drop_folder_every_delivery_is_a_source_of_its_own(viewer, tmp_path):
    for delivery, names in (("ST-1", ("MR/1.txt",)), ("ST-2", ("MR/1.txt", "CT/2.txt"))):
        for name in names:
            (tmp_path / delivery / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / delivery / name).write_bytes(b"a")
    (tmp_path / "loose.txt").write_bytes(b"a")
    found = facts(samples.from_folder(os.fsencode(tmp_path), deliveries=True, title="", actor=viewer, now=NOW))
    assert sorted(fact.path for fact in found) == ["CT/2.txt", "MR/1.txt"]
