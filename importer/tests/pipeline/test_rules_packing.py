"""What becomes one archive, what it and its members are called, and what stays by itself."""

import json

import pytest

from hierarchy.models import File, FileVersion
from importer.models import Conflict, Item, Placement
from importer.report import audit_jsonl
from importer.tests.pipeline.drive import (
    became,
    conflicts,
    digest,
    imported,
    instance,
    leftovers,
    members,
    put,
    put_series,
    reasons,
    run,
    tree,
    until,
    wrongs,
)
from importer.tests.pipeline.ruled import begun, ruled
from importer.tests.review.cases import decided, waiting

pytestmark = pytest.mark.django_db(transaction=True)

AT = "P01/study 1/1 - t1"


def stored(places, ending=".zip"):
    """Name → members of every stored archive."""
    return {path.name: members(path) for path in places.archive.rglob(f"*{ending}")}


def folders(source, count=2):
    """Two folders of one acquisition each, with files of the same names."""
    for folder in ("S/E/A", "S/E/B"):
        for number in range(count):
            put(source / folder / f"{number}.txt", f"{folder} {number}".encode())


def test_a_path_rule_that_zips_makes_one_archive_per_folder(project, places, tmp_path):
    folders(tmp_path / "in")

    job = ruled(project, tmp_path / "in", "- {zip: true}")

    assert sorted(tree(project)) == ["S/E/A/A.zip", "S/E/B/B.zip"]
    assert stored(places)["A.zip"] == {"0.txt": b"S/E/A 0", "1.txt": b"S/E/A 1"}
    assert {row.kind for row in Placement.objects.filter(job=job)} == {"group"}
    assert set(FileVersion.objects.values_list("digest_of", "members")) == {("manifest", 2)}
    assert set(File.objects.values_list("type", flat=True)) == {"archive"}
    assert leftovers(places) == []


def test_the_same_folders_again_bring_nothing_new(project, places, tmp_path):
    folders(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {zip: true}")
    again = ruled(project, tmp_path / "in", "- {zip: true}")
    assert set(reasons(again).values()) == {"skipped: File already exists"}


def test_a_changed_folder_is_a_conflict_of_the_whole_archive(project, places, tmp_path):
    folders(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {zip: true}")
    put(tmp_path / "in" / "S" / "E" / "A" / "1.txt", b"changed")

    again = ruled(project, tmp_path / "in", "- {zip: true}")

    assert conflicts(again) == [("file_name_already_exists", "S/E/A/A.zip")]
    assert became(again) == {
        "S/E/A/0.txt": "conflict", "S/E/A/1.txt": "conflict", "S/E/B/0.txt": "skipped", "S/E/B/1.txt": "skipped",
    }  # fmt: skip
    assert wrongs() == []


def test_update_makes_a_new_version_of_a_changed_group(project, places, tmp_path):
    folders(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {zip: true}")
    put(tmp_path / "in" / "S" / "E" / "A" / "1.txt", b"changed")

    job = ruled(project, tmp_path / "in", "- {zip: true}", strategy="update")

    assert (job.status, File.objects.get(name="A.zip").version) == ("completed", 2)
    newest = FileVersion.objects.get(file__name="A.zip", number=2)
    assert members(places.archive / newest.path) == {"0.txt": b"S/E/A 0", "1.txt": b"changed"}


@pytest.mark.parametrize(("zip_single", "name"), [("true", "A.zip"), ("false", "x.txt")])
def test_a_group_of_one_is_zipped_unless_its_rule_says_no(project, places, tmp_path, zip_single, name):
    put(tmp_path / "in" / "S" / "E" / "A" / "x.txt", b"alone")
    put(tmp_path / "in" / "S" / "E" / "B" / "y.txt")
    put(tmp_path / "in" / "S" / "E" / "B" / "z.txt")

    ruled(project, tmp_path / "in", f"- {{zip: true, zip_single: {zip_single}}}")

    assert sorted(tree(project)) == [f"S/E/A/{name}", "S/E/B/B.zip"]
    kept = next(places.archive.rglob(name))
    assert kept.read_bytes() == b"alone" if name == "x.txt" else members(kept) == {"x.txt": b"alone"}
    assert leftovers(places) == []


@pytest.mark.parametrize(
    ("level", "path"), [("session", "E/A/A.zip"), ("subject", "A/A.zip"), ("project", "Brain.zip")]
)
def test_a_group_above_the_acquisitions_is_called_after_its_level(project, places, tmp_path, level, path):
    put(tmp_path / "in" / "S" / "E" / "A" / "x.txt", b"alone")
    ruled(project, tmp_path / "in", f"- {{zip: true, level: {level}}}")
    assert list(tree(project)) == [path]


def test_groups_are_told_apart_by_more_than_the_folder(project, places, tmp_path):
    for name in ("a.txt", "b.txt", "c.csv"):
        put(tmp_path / "in" / "S" / "E" / "A" / name, name.encode())
    text = "- {zip: true, group_by: [ext], mappings: ['path={sub}/{ses}/{acq}/*', 'acquisition.info.ext={ext}'], \
        overrides: []}"

    job = ruled(project, tmp_path / "in", text)

    # Both archives have the acquisition's label: the second is no second version of the first.
    assert conflicts(job) == [("file_name_already_exists", "S/E/A/A.zip")]
    assert stored(places)["A.zip"] == {"a.txt": b"a.txt", "b.txt": b"b.txt"}


def test_a_rule_names_the_archive(project, places, tmp_path):
    folders(tmp_path / "in")
    text = "- {zip: true, mappings: ['path={sub}/{ses}/{acq}/*', 'file.name=all of {!acquisition.label}.zip']}"
    ruled(project, tmp_path / "in", text)
    assert sorted(tree(project)) == ["S/E/A/all of A.zip", "S/E/B/all of B.zip"]


def test_names_of_the_files_of_a_group_do_not_name_the_archive(project, places, tmp_path):
    folders(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {zip: true, mappings: ['path={sub}/{ses}/{acq}/{file}']}")
    assert sorted(tree(project)) == ["S/E/A/A.zip", "S/E/B/B.zip"]
    assert set(stored(places)["A.zip"]) == {"0.txt", "1.txt"}


def test_files_of_one_name_in_one_group_are_all_kept(project, places, tmp_path):
    for number, name in enumerate(("x:y.txt", "x?y.txt", "x_y.txt", "x_y_1.txt")):
        put(tmp_path / "in" / "S" / "E" / "A" / name, b"%d" % number)

    job = ruled(project, tmp_path / "in", "- {zip: true}")

    assert sorted(stored(places)["A.zip"].values()) == [b"0", b"1", b"2", b"3"]
    assert set(stored(places)["A.zip"]) == {"x_y.txt", "x_y_1.txt", "x_y_2.txt", "x_y_3.txt"}
    assert job.imported == 4
    assert wrongs() == []


def test_the_report_knows_each_file_of_a_group(project, places, tmp_path):
    folders(tmp_path / "in", 1)

    job = ruled(project, tmp_path / "in", "- {zip: true}")

    rows = report(job)
    assert {row["src_path"]: (row["dst_path"], row["src_stat"]["hash"], row["transfer"]) for row in rows} == {
        f"S/E/{one}/0.txt": (f"S/E/{one}/{one}.zip", digest(f"S/E/{one} 0".encode()), "zip") for one in "AB"
    }


def test_a_group_that_is_held_lands_when_it_is_decided(project, places, tmp_path):
    folders(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {zip: true}")
    put(tmp_path / "in" / "S" / "E" / "A" / "1.txt", b"changed")

    job = ruled(project, tmp_path / "in", "- {zip: true}")

    conflict = Conflict.objects.get(job=job)
    assert (conflict.placement.kind, conflict.placement.count) == ("group", 2)
    assert {row["transfer"] for row in report(job)} == {"zip"}
    decided(waiting(), "rename_incoming")
    assert sorted(tree(project)) == ["S/E/A/A.zip", "S/E/A/A_1.zip", "S/E/B/B.zip"]
    landed = FileVersion.objects.get(file__name="A_1.zip")
    assert members(places.archive / landed.path) == {"0.txt": b"S/E/A 0", "1.txt": b"changed"}
    assert wrongs() == []


@pytest.mark.parametrize(("zip_single", "name"), [("true", "1 - t1.dicom.zip"), ("false", "1 - t1.dcm")])
def test_a_series_of_one_is_zipped_unless_its_rule_says_no(project, places, tmp_path, zip_single, name):
    put_series(tmp_path / "in" / "a", 1)
    put_series(tmp_path / "in" / "b", 2, series=2)

    job = ruled(project, tmp_path / "in", f"- {{type: dicom, zip_single: {zip_single}}}")

    assert sorted(tree(project)) == [f"{AT}/{name}", "P01/study 1/2 - t1/2 - t1.dicom.zip"]
    assert set(File.objects.values_list("type", flat=True)) == {"dicom"}
    kept = next(places.archive.rglob(name)).read_bytes()
    assert (kept == instance(1)) == (zip_single == "false")
    again = ruled(project, tmp_path / "in", f"- {{type: dicom, zip_single: {zip_single}}}")
    assert (job.imported, again.skipped) == (3, 3)
    assert leftovers(places) == []


def test_a_series_of_one_that_came_twice_is_still_one(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1))
    put(tmp_path / "in" / "2.dcm", instance(1))
    put(tmp_path / "in" / "3.dcm", instance(1, ContentDate="20200101"))

    job = ruled(project, tmp_path / "in", "- {type: dicom, zip_single: false}")

    assert list(tree(project)) == [f"{AT}/1 - t1.dcm"]
    assert reasons(job)["2.dcm"] == "skipped: Duplicate instance"
    assert conflicts(job) == [("instance_uid_has_different_content", f"{AT}/1 - t1.dcm")]


def report(job):
    """Rows of the audit report."""
    return [json.loads(line) for text in audit_jsonl(job) for line in text.splitlines()]


NAMED = "- {type: dicom, dicom_instance_name: '%s'}"


def test_a_rule_names_the_instances(project, places, tmp_path):
    put_series(tmp_path / "in", 2)

    job = ruled(project, tmp_path / "in", NAMED % "{Modality}-{InstanceNumber:03d}.dcm")

    assert set(stored(places)["1 - t1.dicom.zip"]) == {"MR-001.dcm", "MR-002.dcm"}
    rows = report(job)
    assert [row["src_stat"]["hash"] for row in rows] == [digest(instance(1)), digest(instance(2))]
    assert wrongs() == []


def test_instances_that_would_have_one_name_have_their_default_names(project, places, tmp_path):
    put_series(tmp_path / "in", 3)
    put_series(tmp_path / "in" / "b", 1, series=2)

    ruled(project, tmp_path / "in", NAMED % "{Modality}.dcm")

    assert set(stored(places)["1 - t1.dicom.zip"]) == {f"1.2.3.4.1.1.{number}.MR.dcm" for number in (1, 2, 3)}
    assert set(stored(places)["2 - t1.dicom.zip"]) == {"MR.dcm"}
    assert wrongs() == []


def test_a_name_from_a_tag_never_takes_another_instances(project, places, tmp_path):
    """One says by its comments what the other is called by default."""
    put(tmp_path / "in" / "1.dcm", instance(1, ImageComments="1.2.3.4.1.1.2.MR.dcm"))
    put(tmp_path / "in" / "2.dcm", instance(2))

    ruled(project, tmp_path / "in", NAMED % "{ImageComments}")

    assert len(stored(places)["1 - t1.dicom.zip"]) == 2


def test_one_instance_under_two_names_is_one_instance(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, ImageComments="a"))
    put(tmp_path / "in" / "2.dcm", instance(1, ImageComments="b"))
    put(tmp_path / "in" / "3.dcm", instance(1, ImageComments="a"))

    job = ruled(project, tmp_path / "in", NAMED % "{ImageComments}.dcm")

    assert reasons(job)["3.dcm"] == "skipped: Duplicate instance"
    assert became(job)["2.dcm"] == "conflict"
    assert set(stored(places)["1 - t1.dicom.zip"]) == {"a.dcm"}


def test_what_replaces_an_instance_takes_its_place_under_whatever_name(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, ImageComments="a"))
    put(tmp_path / "in" / "2.dcm", instance(1, ImageComments="b"))
    put(tmp_path / "in" / "3.dcm", instance(2, ImageComments="c"))
    ruled(project, tmp_path / "in", NAMED % "{ImageComments}.dcm")

    decided(waiting(), "replace_existing")

    newest = FileVersion.objects.get(number=2)
    assert members(places.archive / newest.path) == {
        "a.dcm": instance(1, ImageComments="b"), "c.dcm": instance(2, ImageComments="c")
    }  # fmt: skip
    assert wrongs() == []


def test_when_a_single_instance_fails_its_equal_comes_in(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1))
    put(tmp_path / "in" / "2.dcm", instance(1))
    job = begun(project, tmp_path / "in", "- {type: dicom, zip_single: false}")
    until(job, "transferring")
    put(tmp_path / "in" / "1.dcm", b"changed since it was listed")

    run(job)

    assert became(job) == {"1.dcm": "failed", "2.dcm": "imported"}
    assert next(places.archive.rglob("*.dcm")).read_bytes() == instance(1)


def test_a_series_is_split_by_what_its_rule_groups_by(project, places, tmp_path):
    for number in (1, 2, 3):
        put(tmp_path / "in" / f"{number}.dcm", instance(number, AcquisitionNumber=str(number % 2)))
    text = """
    - type: dicom
      dicom_group_by: [StudyInstanceUID, SeriesInstanceUID, AcquisitionNumber]
      mappings: ['acquisition.label={SeriesDescription} {AcquisitionNumber}']
      overrides: ['acquisition.uid=']
    """

    ruled(project, tmp_path / "in", text)

    assert sorted(tree(project)) == [f"P01/study 1/t1 {n}/t1 {n}.dicom.zip" for n in (0, 1)]
    assert len(stored(places)["t1 1.dicom.zip"]) == 2


def test_a_study_is_one_archive_of_its_session(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)
    put_series(tmp_path / "in" / "b", 2, series=2)

    ruled(project, tmp_path / "in", "- {type: dicom, level: session, dicom_group_by: [StudyInstanceUID]}")

    assert list(tree(project)) == ["P01/study 1/study 1.dicom.zip"]
    assert len(stored(places)["study 1.dicom.zip"]) == 4


def test_series_that_are_forced_together_disagree(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 1)
    put_series(tmp_path / "in" / "b", 1, series=2)
    job = ruled(project, tmp_path / "in", "- {type: dicom, dicom_group_by: [StudyInstanceUID]}")
    assert [kind for kind, _ in conflicts(job)] == ["series_labels_disagree"]


def test_what_one_instance_lacks_only_one_of_its_own_group_may_give(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, AcquisitionNumber="1"))
    put(tmp_path / "in" / "2.dcm", instance(2, AcquisitionNumber="1", patient=None))
    put(tmp_path / "in" / "3.dcm", instance(3, AcquisitionNumber="2", patient=None))
    text = """
    - type: dicom
      dicom_group_by: [SeriesInstanceUID, AcquisitionNumber]
      overrides: ['acquisition.uid=', 'session.uid=']
    """

    job = ruled(project, tmp_path / "in", text)

    assert became(job) == {"1.dcm": "imported", "2.dcm": "imported", "3.dcm": "conflict"}


def test_files_of_two_rules_are_never_one_archive(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, InstanceNumber="1"))
    put(tmp_path / "in" / "2.dcm", instance(2, InstanceNumber="2"))
    text = """
    - {type: dicom, include: [InstanceNumber=1]}
    - {type: dicom, overrides: ['session.uid=', 'acquisition.uid=', session.label=other]}
    """

    ruled(project, tmp_path / "in", text)

    assert sorted(tree(project)) == ["P01/other/1 - t1/1 - t1.dicom.zip", f"{AT}/1 - t1.dicom.zip"]
    assert {item.placement.rule for item in Item.objects.select_related("placement")} == {1, 2}


def test_standard_rules_still_say_what_they_said(project, places, tmp_path):
    put_series(tmp_path / "in", 2)
    job = imported(project, tmp_path / "in")
    assert (job.rules, list(tree(project))) == ("standard", [f"{AT}/1 - t1.dicom.zip"])


def test_a_series_that_disagrees_and_has_no_uid_of_its_own_has_a_name_all_the_same(project, places, tmp_path):
    put_series(tmp_path / "in")

    text = "- {type: dicom, mappings: ['InstanceNumber=acq', 'name=acq'], overrides: ['acquisition.uid=']}"
    job = ruled(project, tmp_path / "in", text)

    assert [kind for kind, _ in conflicts(job)] == ["series_labels_disagree"]
    placement = Placement.objects.get(job=job)
    assert placement.acquisition_uid == ""
    assert placement.file_name == f"{placement.session_uid}.dicom.zip"
