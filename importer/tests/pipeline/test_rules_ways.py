"""A job runs its rules: by header, by path, beside DICOM; on every level; and what no rule takes keeps its row."""

import pytest

from hierarchy.models import File
from importer.core.folder import Opener
from importer.core.states import MissingMeta, PlacementKind
from importer.models import Conflict, Placement
from importer.review_offers import assigned, missing_levels
from importer.tests.pipeline.drive import (
    became,
    conflicts,
    containers,
    imported,
    instance,
    leftovers,
    put,
    put_series,
    reasons,
    tree,
    until,
)
from importer.tests.pipeline.ruled import begun, ruled

pytestmark = pytest.mark.django_db(transaction=True)

DICOM = "- {type: dicom}"


def kinds(job):
    return sorted(Placement.objects.filter(job=job).values_list("kind", flat=True))


def test_a_path_rule_places_each_file_as_it_is(project, places, tmp_path):
    put(tmp_path / "in" / "sub-01" / "ses-1" / "anat" / "T1w.nii.gz", b"1")
    put(tmp_path / "in" / "sub-01" / "ses-1" / "anat" / "T1w.json", b"2")
    put(tmp_path / "in" / "odd.txt", b"3")

    job = ruled(project, tmp_path / "in", "- {mappings: ['path=sub-{sub}/ses-{ses}/{acq}/{file}']}")

    assert sorted(tree(project)) == ["01/1/anat/T1w.json", "01/1/anat/T1w.nii.gz"]
    assert reasons(job)["odd.txt"] == "skipped: Missing label"
    assert kinds(job) == ["placed", "placed"]
    assert set(File.objects.values_list("type", flat=True)) == {"nifti", "json"}
    assert leftovers(places) == []


def test_a_path_rule_says_another_name(project, places, tmp_path):
    put(tmp_path / "in" / "S1_V1_T2.nii", b"1")

    ruled(project, tmp_path / "in", "- {mappings: ['name={sub}_{ses}_{acq}.nii', 'name={file.name:*}.nii']}")

    assert sorted(tree(project)) == ["S1/V1/T2/S1_V1_T2"]


LEVELS = {
    "project": ["x.txt"],
    "subject": ["C/x.txt"],
    "session": ["B/C/x.txt"],
    "acquisition": ["A/B/C/x.txt"],
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_goes_to_its_rules_level(project, places, tmp_path, level):
    put(tmp_path / "in" / "A" / "B" / "C" / "x.txt")

    ruled(project, tmp_path / "in", f"- {{level: {level}}}")

    assert sorted(tree(project)) == LEVELS[level]
    assert containers() == {"project": (0, 0, 0), "subject": (1, 0, 0), "session": (1, 1, 0)}.get(level, (1, 1, 1))


DICOM_LEVELS = {
    "project": ["1 - t1.dicom.zip"],
    "subject": ["P01/1 - t1.dicom.zip"],
    "session": ["P01/study 1/1 - t1.dicom.zip"],
    "acquisition": ["P01/study 1/1 - t1/1 - t1.dicom.zip"],
}


@pytest.mark.parametrize("level", DICOM_LEVELS)
def test_dicom_goes_to_its_rules_level_and_asks_for_no_label_below(project, places, tmp_path, level):
    put_series(tmp_path / "in", 2)
    put(tmp_path / "in" / "notes.txt")

    job = ruled(project, tmp_path / "in", f"[{{type: dicom, level: {level}}}, {{beside_dicom: true}}]")

    beside = DICOM_LEVELS[level][0].replace("1 - t1.dicom.zip", "notes.txt")
    assert sorted(tree(project)) == [*DICOM_LEVELS[level], beside]
    assert job.imported == 3


def test_dicom_of_a_session_is_not_held_for_want_of_an_acquisition(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1))
    text = "- {type: dicom, level: session, overrides: [acquisition.label=, acquisition.uid=]}"

    job = ruled(project, tmp_path / "in", text)

    assert conflicts(job) == []
    assert sorted(tree(project)) == ["P01/study 1/study 1.dicom.zip"]


def test_missing_labels_of_dicom_are_those_down_to_its_level(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, patient=None))

    job = ruled(project, tmp_path / "in", "- {type: dicom, level: session}")

    assert became(job) == {"1.dcm": "conflict"}
    assert Conflict.objects.get().type == "label_is_missing"
    assert missing_levels(Conflict.objects.get()) == ["subject"]
    assert assigned(Conflict.objects.get(), "?") == ["?", "study 1"]


@pytest.mark.parametrize(
    ("missing", "outcome"), [(MissingMeta.HOLD, "skipped"), (MissingMeta.SKIP, "skipped"), (MissingMeta.FAIL, "failed")]
)
def test_a_path_that_names_no_subject_is_never_held(project, places, tmp_path, missing, outcome):
    put(tmp_path / "in" / "acq" / "x.txt")

    job = ruled(project, tmp_path / "in", "- {mappings: ['path={acq}/*']}", missing_meta=missing)

    assert reasons(job) == {"acq/x.txt": f"{outcome}: Missing label"}
    assert containers() == (0, 0, 0)


def test_labels_of_dicom_come_from_its_path_and_its_header(project, places, tmp_path):
    put_series(tmp_path / "in" / "site-A" / "S7", 2, patient="whoever")
    text = """
    - type: dicom
      mappings:
        - path=site-{@site}/{subject.label}/*
        - session.label={StudyDescription} at {!@site}
        - acquisition.label={Modality}
    """

    ruled(project, tmp_path / "in", text)

    assert sorted(tree(project)) == ["S7/study 1 at A/MR/MR.dicom.zip"]


def test_the_first_rule_that_matches_takes_a_file(project, places, tmp_path):
    put(tmp_path / "in" / "a" / "b" / "c" / "x.csv")
    put(tmp_path / "in" / "a" / "b" / "c" / "x.tmp")
    put(tmp_path / "in" / "a" / "b" / "c" / "x.txt")
    text = """
    exclude: [ext=tmp]
    rules:
      - {include: [ext=csv], level: session}
      - {exclude: [name=nobody]}
    """

    job = ruled(project, tmp_path / "in", text)

    assert sorted(tree(project)) == ["a/b/c/x.txt", "b/c/x.csv"]
    assert reasons(job)["a/b/c/x.tmp"] == "skipped: No rule matched"
    assert set(Placement.objects.filter(job=job).values_list("file_name", "rule")) == {("x.csv", 1), ("x.txt", 2)}


def test_headers_are_filtered_by_any_keyword(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, ImageType="ORIGINAL", StationName="A"))
    put(tmp_path / "in" / "2.dcm", instance(1, series=2, StationName="B"))

    job = ruled(project, tmp_path / "in", "- {type: dicom, include: [StationName=A]}")

    assert reasons(job) == {"1.dcm": "imported", "2.dcm": "skipped: No rule matched"}


def test_what_is_no_dicom_says_so_where_only_dicom_is_asked_for(project, places, tmp_path):
    put_series(tmp_path / "in", 1)
    put(tmp_path / "in" / "x.txt")
    job = ruled(project, tmp_path / "in", DICOM)
    assert reasons(job)["x.txt"] == "skipped: Not DICOM"


def test_a_rule_that_names_another_project_skips_its_files(project, places, tmp_path):
    put(tmp_path / "in" / "other" / "S" / "E" / "A" / "x.txt")
    put(tmp_path / "in" / project.label / "S" / "E" / "A" / "x.txt")
    put(tmp_path / "in" / "dicom" / "1.dcm", instance(1))
    text = """
    - {type: dicom, overrides: [group._id=strangers]}
    - {mappings: ['path={project.label}/{sub}/{ses}/{acq}/*']}
    """

    job = ruled(project, tmp_path / "in", text)

    assert sorted(tree(project)) == ["S/E/A/x.txt"]
    assert reasons(job)["other/S/E/A/x.txt"] == reasons(job)["dicom/1.dcm"] == "skipped: Other project"


def test_a_rule_that_names_this_project_and_its_group_changes_nothing(project, places, tmp_path):
    put(tmp_path / "in" / "A" / "B" / "C" / "x.txt")
    text = f"- {{overrides: [group._id={project.group.name}, project.label={project.label}]}}"
    assert ruled(project, tmp_path / "in", text).imported == 1


def test_dicom_that_is_kept_as_it_is_keeps_its_name_and_is_placed_by_its_own_header(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)
    put(tmp_path / "in" / "a" / "9.dcm", instance(9, patient="P02", study=2))
    put(tmp_path / "in" / "a" / "notes.txt")

    job = ruled(project, tmp_path / "in", "[{type: dicom, zip: false}, {beside_dicom: true}]")

    at = "P01/study 1/1 - t1"
    assert sorted(tree(project)) == [f"{at}/0001.dcm", f"{at}/0002.dcm", "P02/study 2/1 - t1/9.dcm", "notes.txt"]
    assert kinds(job) == ["file", "instance", "instance", "instance"]
    assert set(File.objects.filter(name__endswith=".dcm").values_list("type", "modality")) == {("dicom", "MR")}
    assert imported(project, tmp_path / "in").conflict == 0
    assert leftovers(places) == []


def test_a_dropped_archive_is_never_packed_again(project, places, tmp_path):
    put_series(tmp_path / "one", 2)
    imported(project, tmp_path / "one")
    stored = next(places.archive.rglob("*.dicom.zip"))
    other = type(project).objects.create(group=project.group, label="Other")
    put(tmp_path / "two" / "mine.dicom.zip", stored.read_bytes())

    job = ruled(other, tmp_path / "two", "- {type: dicom, zip: true, mappings: ['subject.label={Modality}']}")

    assert kinds(job) == [PlacementKind.ARCHIVE]
    assert "MR/study 1/1 - t1/mine.dicom.zip" in tree(other)


def test_a_file_is_opened_only_where_its_name_does_not_tell_enough(project, places, tmp_path, monkeypatch):
    put(tmp_path / "in" / "A" / "B" / "C" / "x.txt")
    put(tmp_path / "in" / "A" / "B" / "C" / "y.txt")
    put(tmp_path / "in" / "A" / "B" / "C" / "z")
    opened, original = [], Opener.open
    monkeypatch.setattr(Opener, "open", lambda self, path: opened.append(path) or original(self, path))

    until(begun(project, tmp_path / "in", "[{include: [ext=txt]}, {type: dicom}]"), "transferring")

    assert opened == ["A/B/C/z"]


@pytest.mark.parametrize("name", ["by-path", "bids", "dicom-only"])
def test_a_built_in_rule_set_runs_by_its_name(project, places, tmp_path, name):
    put(tmp_path / "in" / "sub-1" / "ses-2" / "anat" / "x.nii")
    put(tmp_path / "in" / "sub-1" / "ses-2" / "anat" / "1.dcm", instance(1))
    put(tmp_path / "in" / "participants.tsv")

    imported(project, tmp_path / "in", rules=name)

    assert (
        sorted(tree(project))
        == {
            "by-path": ["sub-1/ses-2/anat/1.dcm", "sub-1/ses-2/anat/x.nii"],
            "bids": ["1/2/anat/1.dcm", "1/2/anat/x.nii", "participants.tsv"],
            "dicom-only": ["P01/study 1/1 - t1/1 - t1.dicom.zip"],
        }[name]
    )
