"""What rules say beyond labels: information, tags, and what else a container or a file has."""

import pytest

from hierarchy.models import Acquisition, File, Session, Subject
from importer.models import Conflict
from importer.tests.pipeline.drive import conflicts, instance, put, put_series
from importer.tests.pipeline.ruled import ruled

pytestmark = pytest.mark.django_db(transaction=True)

DICOM = """
- type: dicom
  mappings:
    - path={@site}/{subject.label}/*
    - session.info.site={!@site}
    - acquisition.tags=from {!@site}
    - subject.info.scanner.station={StationName}
  defaults:
    - subject.tags=trial, human
    - subject.type=human
    - subject.species=Homo sapiens
    - subject.strain=none
    - file.tags=raw
    - file.info.checked=false
    - file.classification.Intent=Structural
    - file.classification.Measurement=T1,T2
    - project.info.sponsor=ACME
  overrides:
    - file.modality=XX
"""


def test_a_rule_describes_every_level_and_the_file(project, places, tmp_path):
    put_series(tmp_path / "in" / "A" / "S7", 2)

    assert ruled(project, tmp_path / "in", DICOM).imported == 2

    subject, file = Subject.objects.get(), File.objects.get()
    project.refresh_from_db()
    assert (subject.label, subject.type, subject.species, subject.strain) == ("S7", "human", "Homo sapiens", "none")
    assert subject.tags == ["human", "trial"]
    assert Session.objects.get().info == {"site": "A"}
    assert Acquisition.objects.get().tags == ["from A"]
    assert (file.type, file.modality, file.tags, file.info) == ("dicom", "XX", ["raw"], {"checked": False})
    assert file.classification == {"Intent": ["Structural"], "Measurement": ["T1", "T2"]}
    assert project.info == {"sponsor": "ACME"}


def test_a_path_rule_describes_them_as_well(project, places, tmp_path):
    put(tmp_path / "in" / "site-A" / "S" / "E" / "Q" / "x.txt")
    text = """
    - type: notes
      mappings: ["path=site-{subject.info.site}/{sub}/{ses}/{acq}/*", "session.info.size={size}"]
      defaults: ["file.tags=a,b", "acquisition.info.n=12", "session.info.list=[1, 2]"]
    """

    ruled(project, tmp_path / "in", text)

    assert Subject.objects.get().info == {"site": "A"}
    assert Session.objects.get().info == {"size": 10, "list": [1, 2]}
    assert Acquisition.objects.get().info == {"n": 12}
    assert (File.objects.get().tags, File.objects.get().type) == (["a", "b"], "notes")


def test_what_lies_beside_dicom_is_described_too(project, places, tmp_path):
    put_series(tmp_path / "in", 1)
    put(tmp_path / "in" / "x.txt")
    text = """
    - {type: dicom}
    - {beside_dicom: true, defaults: [file.tags=paper, acquisition.info.papers=true]}
    """

    ruled(project, tmp_path / "in", text)

    assert File.objects.get(name="x.txt").tags == ["paper"]
    assert Acquisition.objects.get().info == {"papers": True}


def test_a_path_says_when_and_how_old(project, places, tmp_path):
    put(tmp_path / "in" / "S" / "20200102_030405" / "Q" / "x.txt")
    text = """
    - mappings:
        - "path={sub}/{session.timestamp:%Y%m%d_%H%M%S}/{acq}/*"
        - "path={*}/{ses}/*/*"
      defaults: [session.age=60, session.weight=71.5, session.operator=Roe, subject.sex=f]
    """.replace("{*}", "*")

    ruled(project, tmp_path / "in", text, zone="Europe/Amsterdam")

    session = Session.objects.get()
    assert session.moment.isoformat() == "2020-01-02T03:04:05+01:00"
    assert (session.age_seconds, session.weight_kg, session.operator) == (60, 71.5, "Roe")
    assert (session.subject.sex, session.label) == ("female", "20200102_030405")


def info(value):
    return f"- {{overrides: [session.info.a={value}, session.info.b.{value}=1, 'session.tags={value}']}}"


def test_information_is_filled_in_and_never_overwritten(project, places, tmp_path):
    put(tmp_path / "in" / "S" / "E" / "Q" / "1.txt", b"1")
    ruled(project, tmp_path / "in", info("one"))
    session = Session.objects.get()
    session.info["hand"] = "written"
    session.tags = ["zeta", *session.tags]
    session.save()
    put(tmp_path / "in" / "S" / "E" / "Q" / "2.txt", b"2")

    ruled(project, tmp_path / "in", info("two"))

    session.refresh_from_db()
    assert session.info == {"a": "one", "b": {"one": 1, "two": 1}, "hand": "written"}
    assert session.tags == ["one", "two", "zeta"]


def test_tags_that_stand_already_change_nothing(project, places, tmp_path):
    put(tmp_path / "in" / "S" / "E" / "Q" / "1.txt", b"1")
    ruled(project, tmp_path / "in", info("one"))
    Session.objects.update(tags=["zeta", "one"])
    put(tmp_path / "in" / "S" / "E" / "Q" / "2.txt", b"2")
    ruled(project, tmp_path / "in", info("one"))
    assert Session.objects.get().tags == ["zeta", "one"]


def test_of_the_files_of_one_import_the_first_says_it(project, places, tmp_path):
    for number in range(3):
        put(tmp_path / "in" / "S" / "E" / "Q" / f"{number}.txt", b"%d" % number)
    text = "- {mappings: ['path={sub}/{ses}/{acq}/*', 'name={session.info.first}.txt', 'name={session.tags}.txt']}"

    ruled(project, tmp_path / "in", text)

    assert Session.objects.get().info == {"first": 0}
    assert Session.objects.get().tags == ["0", "1", "2"]


def test_of_a_series_the_first_instance_says_it(project, places, tmp_path):
    for number in (1, 2, 3):
        comments = None if number == 1 else f"of {number}"
        put(tmp_path / "in" / f"{number}.dcm", instance(number, ImageComments=comments))

    ruled(project, tmp_path / "in", "- {type: dicom, mappings: ['acquisition.info.comment={ImageComments}']}")

    assert Acquisition.objects.get().info == {"comment": "of 2"}


def test_a_new_version_fills_in_what_its_file_lacks(project, places, tmp_path):
    at = tmp_path / "in" / "S" / "E" / "Q" / "x.txt"
    put(at, b"1")
    ruled(project, tmp_path / "in", "- {defaults: [file.info.a=1, file.tags=first]}")
    put(at, b"2")

    ruled(project, tmp_path / "in", "- {defaults: [file.info.a=2, file.info.b=2, file.tags=second]}", strategy="update")

    file = File.objects.get()
    assert (file.version, file.info, file.tags) == (2, {"a": 1, "b": 2}, ["first", "second"])


HOSTILE = {
    "nul": "a\0b",
    "escape": "\x1b[31mred",
    "long": "x" * 9000,
    "json bomb": "[" * 3000 + "]" * 3000,
    "not a number": "NaN",
    "infinite": "1e999",
    "surrogate": '"\\ud800"',
    "nul in json": '{"a\\u0000": "b\\u0000"}',
    "large": "9" * 5000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_tag_says_fits_into_the_database(project, places, tmp_path, text):
    put(tmp_path / "in" / "1.dcm", instance(1, ImageComments=text, StudyComments=text))
    rules = """
    - type: dicom
      mappings:
        - acquisition.info.comment={ImageComments}
        - acquisition.tags={ImageComments}
        - subject.type={ImageComments}
        - subject.species={ImageComments}
        - file.type={StudyComments}
        - file.modality={StudyComments}
        - file.classification.Kind={StudyComments}
    """

    job = ruled(project, tmp_path / "in", rules)

    assert (job.status, job.imported) == ("completed", 1)
    assert "\0" not in str(Acquisition.objects.get().info) + str(Acquisition.objects.get().tags)
    assert Subject.objects.get().type == ""


def test_what_a_rule_says_is_kept_while_it_is_held(project, places, tmp_path):
    put(tmp_path / "in" / "1.dcm", instance(1, patient=None))

    job = ruled(project, tmp_path / "in", "- {type: dicom, defaults: [session.info.site=A, file.tags=raw]}")

    assert [kind for kind, _ in conflicts(job)] == ["label_is_missing"]
    said = Conflict.objects.get().placement.said
    assert (said["session"]["info"], said["file"]["tags"]) == ({"site": "A"}, ["raw"])


def test_instances_may_differ_on_information_alone(project, places, tmp_path):
    for number in (1, 2):
        put(tmp_path / "in" / f"{number}.dcm", instance(number, ImageComments=str(number)))
    text = "- {type: dicom, mappings: ['session.info.x={ImageComments}', 'session.label={PatientID}']}"
    assert conflicts(ruled(project, tmp_path / "in", text)) == []
