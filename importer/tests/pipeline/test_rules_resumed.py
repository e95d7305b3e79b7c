"""Rules give the same whoever runs them how often, and ask the database per chunk, never per file."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hierarchy.models import FileVersion, Session
from importer.models import Chunk, Placement
from importer.pipeline import chunks, extract, place, settle
from importer.pipeline.advance import advance
from importer.tests.pipeline.drive import instance, leftovers, path_of, put, run, until, worker
from importer.tests.pipeline.ruled import begun, ruled
from importer.tests.pipeline.test_killed import die, kill_at
from importer.tests.pipeline.test_queries import queries

pytestmark = pytest.mark.django_db(transaction=True)

MIXED = """
- type: dicom
  include: [path=~one]
  zip_single: false
  dicom_instance_name: "{Modality}-{InstanceNumber}.dcm"
  mappings: ["session.tags={InstanceNumber}"]
- {type: dicom, include: [path=~loose], zip: false}
- {type: dicom, level: session}
- {include: [ext=csv], zip: true, zip_single: false, mappings: ["path=**/{sub}/{ses}/{acq}/*", "session.info.n={name}"]}
- {include: [ext=txt], mappings: ["path=**/{sub}/{ses}/{acq}/*"]}
- {beside_dicom: true}
"""


def mixed(source):
    for number in range(4):
        put(source / "one" / "many" / f"{number}.dcm", instance(number))
        put(source / "loose" / f"{number}.dcm", instance(number, series=2))
        put(source / "rest" / f"{number}.dcm", instance(number, series=3))
        put(source / "tables" / "S" / "E" / "A" / f"{number}.csv", b"%d" % number)
        put(source / "texts" / "S" / "E" / "B" / f"{number}.txt", b"%d" % number)
    put(source / "one" / "single.dcm", instance(1, series=4))
    put(source / "one" / "nameless.dcm", instance(9, patient=None))
    put(source / "tables" / "S" / "E" / "C" / "alone.csv")
    put(source / "one" / "notes.md")
    return source


def said(job):
    """Every file that it brought, with its digest and tags, and what its sessions say."""
    sessions = Session.objects.filter(subject__project=job.project)
    brought = FileVersion.objects.filter(import_id=job.pk)
    return (
        {path_of(one.file): (one.digest, one.file.tags, one.members) for one in brought},
        {one.label: (one.info, one.tags) for one in sessions},
    )


def other_project(project):
    return type(project).objects.create(group=project.group, label="Other")


PLACES = {
    "while rows are written": (extract, "_contributions"),
    "before groups": (settle, "settle_groups"),
    "before series": (settle, "surroundings"),
    "before papers": (settle, "_attach_page"),
    "before names": (settle, "name_members"),
    "before instances are compared": (place, "_ask_where_instances_meet"),
}


@pytest.mark.parametrize("at", PLACES)
def test_a_killed_run_that_is_resumed_gives_the_same(project, places, tmp_path, monkeypatch, at):
    source = mixed(tmp_path / "in")
    whole = ruled(project, source, MIXED)
    assert (whole.status, whole.conflict, whole.failed) == ("completed", 0, 0)
    monkeypatch.setattr(chunks, "SLICE_COUNT", 3)
    job = begun(other_project(project), source, MIXED)
    kill_at(monkeypatch, *PLACES[at])
    die(job)
    type(job).objects.filter(pk=job.pk).update(leased_until=None, owner="")

    run(job)

    assert job.status == "completed"
    assert said(job) == said(whole)
    assert len(said(job)[0]) == 14
    assert leftovers(places) == []


def test_settling_twice_writes_the_same(project, places, tmp_path):
    job = begun(project, mixed(tmp_path / "in"), MIXED)
    until(job, "planning")
    fields = [field.attname for field in Placement._meta.concrete_fields]
    seen = []
    for _ in range(2):
        settle.settle_all(job, Unhurried())
        seen.append(list(Placement.objects.filter(job=job).order_by("id").values(*fields)))
    assert seen[0] == seen[1]
    assert {row["kind"] for row in seen[0]} == {"series", "instance", "group", "placed", "file"}


class Unhurried:
    """A lease that nobody wants."""

    def check(self):
        return None

    def fence(self):
        return None


def papers(folder, count):
    for number in range(count):
        put(folder / "S" / "E" / "A" / f"{number}.txt", b"%d" % number)


def groups(folder, count):
    for number in range(count):
        put(folder / "S" / "E" / str(number // 2) / f"{number}.txt", b"%d" % number)


def singles(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", instance(1, series=number + 1))


def named(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", instance(number))


CASES = {
    "papers": (papers, "- {defaults: [session.info.a=1, file.tags=x], mappings: ['acquisition.tags={name}']}"),
    "groups": (groups, "- {zip: true, zip_single: false}"),
    "groups of one name": (named, "- {zip: true, level: project, mappings: ['file.name={ext}']}"),
    "loose instances": (named, "- {type: dicom, zip: false}"),
    "single instances": (singles, "- {type: dicom, zip_single: false}"),
    "instances of one name": (named, "- {type: dicom, dicom_instance_name: '{Modality}.dcm'}"),
}


@pytest.mark.parametrize("case", CASES)
def test_ten_times_the_files_of_one_slice_ask_no_more(project, places, tmp_path, case):
    source, text = CASES[case]
    source(tmp_path / "few", 12)
    source(tmp_path / "many", 120)

    few = queries(begun(project, tmp_path / "few", text))
    many = queries(begun(other_project(project), tmp_path / "many", text))

    # A page of rows may be one statement or two.
    assert {stage: many[stage] - few[stage] <= 6 for stage in few} == dict.fromkeys(few, True), (few, many)


def test_one_chunk_of_names_is_written_in_few_statements(project, places, tmp_path):
    papers(tmp_path / "in", 200)
    job = begun(project, tmp_path / "in", "- {mappings: ['path={sub}/{ses}/{acq}/*', 'session.tags={name}']}")
    until(job, "extracting")
    assert Chunk.objects.filter(job=job).count() == 1

    with CaptureQueriesContext(connection) as seen:
        advance(job.pk, worker=worker())

    assert Placement.objects.filter(job=job).count() == 200
    assert len(seen) < 40
