"""The localizer of a series is a file of its own beside it, and stays where it is stored."""

import pytest

from hierarchy.models import Acquisition
from importer.models import Conflict, Contribution, Item, Placement
from importer.pipeline import localizers, plan, scan
from importer.pipeline.advance import advance
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    conflicts,
    imported,
    instance,
    leftovers,
    members,
    outcomes,
    put,
    reasons,
    run,
    start,
    tree,
    until,
    worker,
)
from importer.tests.pipeline.ruled import ruled

pytestmark = pytest.mark.django_db(transaction=True)

AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]
SERIES, LOCALIZER = "P01/study 1/1 - t1/1 - t1.dicom.zip", "P01/study 1/1 - t1/1 - t1_localizer.dicom.zip"


def axial(number, **said):
    place = {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [-100, -100, number], "Rows": 8, "Columns": 8}
    return instance(number, **(place | said))


def coronal(number, **said):
    place = {"ImageOrientationPatient": CORONAL, "ImagePositionPatient": [-250, 0, 250], "Rows": 16, "Columns": 16}
    return instance(number, **(place | said))


def put_both(folder, *, slices=10, odd=2, **said):
    """Slices with their localizer among them, from number 501 on."""
    for number in range(1, slices + 1):
        put(folder / f"{number:04}.dcm", axial(number, **said))
    for number in range(501, 501 + odd):
        put(folder / f"0005_{number}.dcm", coronal(number, **said))


def parts(job):
    """File name → source files, of what is planned or landed."""
    rows = Placement.objects.filter(job=job).order_by("file_name")
    return {one.file_name: one.items.count() for one in rows}


def test_a_localizer_lands_beside_its_series(project, places, tmp_path):
    put_both(tmp_path / "in")

    job = imported(project, tmp_path / "in")

    assert sorted(tree(project)) == [SERIES, LOCALIZER]
    assert set(became(job).values()) == {"imported"}
    assert Acquisition.objects.count() == 1
    sizes = {path.name: len(members(path)) for path in places.archive.rglob("*.zip")}
    assert sizes == {"1 - t1.dicom.zip": 10, "1 - t1_localizer.dicom.zip": 2}
    assert leftovers(places) == []


def test_counts_bytes_and_order_of_both_are_their_own(project, places, tmp_path):
    put_both(tmp_path / "in")
    job = run(start(project, tmp_path / "in", dry_run=True))
    rows = {one.localizer: one for one in Placement.objects.filter(job=job)}
    for one in rows.values():
        items = one.items.order_by("seq")
        assert (one.count, one.bytes) == (items.count(), sum(item.size for item in items))
        assert one.first_seq == items[0].seq
    assert {one.count for one in rows.values()} == {10, 2}
    assert rows[True].said == rows[False].said
    assert job.discovered == 12


def test_a_rule_may_say_no(project, places, tmp_path):
    put_both(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {type: dicom, dicom_split_localizer: false}")
    assert list(tree(project)) == [SERIES]
    assert not Placement.objects.filter(localizer=True).exists()


def test_what_differs_in_one_alone_stays(project, places, tmp_path):
    put_both(tmp_path / "in", odd=0)
    put(tmp_path / "in" / "x.dcm", axial(501, Rows=16, Columns=16, ImagePositionPatient=[-100, -100, 5]))
    put(tmp_path / "in" / "y.dcm", axial(502, ImageOrientationPatient=CORONAL, ImagePositionPatient=[-100, -100, 5]))
    imported(project, tmp_path / "in")
    assert list(tree(project)) == [SERIES]


def test_a_second_import_brings_nothing_new(project, places, tmp_path):
    put_both(tmp_path / "in")
    imported(project, tmp_path / "in")
    before = tree(project), bytes_under(places.archive)

    again = imported(project, tmp_path / "in")

    assert set(reasons(again).values()) == {"skipped: File already exists"}
    assert (tree(project), bytes_under(places.archive)) == before


def test_what_was_stored_whole_before_stays_whole(project, places, tmp_path):
    put_both(tmp_path / "in")
    ruled(project, tmp_path / "in", "- {type: dicom, dicom_split_localizer: false}")
    again = imported(project, tmp_path / "in")
    assert set(reasons(again).values()) == {"skipped: File already exists"}
    assert list(tree(project)) == [SERIES]


def test_a_part_of_what_is_stored_goes_to_where_it_is_stored(project, places, tmp_path):
    put_both(tmp_path / "in")
    imported(project, tmp_path / "in")
    put(tmp_path / "two" / "1.dcm", coronal(501))
    put(tmp_path / "two" / "2.dcm", coronal(502))

    again = imported(project, tmp_path / "two")

    assert set(reasons(again).values()) == {"skipped: File already exists"}
    assert parts(again) == {"1 - t1_localizer.dicom.zip": 2}


def test_a_series_that_grows_keeps_its_localizer_apart(project, places, tmp_path):
    put_both(tmp_path / "in")
    imported(project, tmp_path / "in")
    put_both(tmp_path / "two", slices=12)

    job = imported(project, tmp_path / "two", strategy="update")

    assert sorted(tree(project)) == [SERIES, LOCALIZER]
    assert [one.placement.file_name for one in Conflict.objects.filter(job=job)] == ["1 - t1.dicom.zip"]
    stored = max(places.archive.rglob("1 - t1.dicom.zip"), key=lambda path: len(members(path)))
    assert len(members(stored)) == 12
    assert {p: o for p, (o, _) in outcomes(job).items() if "_5" in p} == dict.fromkeys(
        ["0005_501.dcm", "0005_502.dcm"], "skipped"
    )


def test_a_series_that_is_called_localizer_is_its_own(project, places, tmp_path):
    for number in range(1, 4):
        put(tmp_path / "in" / f"{number}.dcm", axial(number, SeriesDescription="plane_localizer"))
    imported(project, tmp_path / "in")
    assert list(tree(project)) == ["P01/study 1/1 - plane_localizer/1 - plane_localizer.dicom.zip"]
    assert set(reasons(imported(project, tmp_path / "in")).values()) == {"skipped: File already exists"}


def test_both_wait_where_a_label_is_missing_and_land_together(project, places, tmp_path):
    put_both(tmp_path / "in", patient=None)
    job = imported(project, tmp_path / "in")
    assert [kind for kind, _ in conflicts(job)] == ["label_is_missing"] * 2
    assert sorted(one.file_name for one in Placement.objects.filter(job=job)) == [
        "1 - t1.dicom.zip", "1 - t1_localizer.dicom.zip",
    ]  # fmt: skip


def test_a_series_without_a_patient_joins_before_it_is_split(project, places, tmp_path):
    put_both(tmp_path / "in")
    (tmp_path / "in" / "0005_501.dcm").write_bytes(coronal(501, patient=None))
    (tmp_path / "in" / "0003.dcm").write_bytes(axial(3, patient=None))
    job = imported(project, tmp_path / "in")
    assert parts(job) == {"1 - t1.dicom.zip": 10, "1 - t1_localizer.dicom.zip": 2}
    assert sorted(tree(project)) == [SERIES, LOCALIZER]


@pytest.mark.parametrize("entries", [1, 3, 500])
def test_it_does_not_matter_how_the_source_was_cut(project, places, tmp_path, monkeypatch, entries):
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", entries)
    put_both(tmp_path / "in")
    assert parts(imported(project, tmp_path / "in")) == {"1 - t1.dicom.zip": 10, "1 - t1_localizer.dicom.zip": 2}


def test_instances_of_two_series_side_by_side_are_told_apart(project, places, tmp_path):
    for number in range(1, 11):
        put(tmp_path / "in" / f"{number:04}_a.dcm", axial(number))
        put(tmp_path / "in" / f"{number:04}_b.dcm", axial(number, series=2))
    put(tmp_path / "in" / "0005_c.dcm", coronal(501))
    job = imported(project, tmp_path / "in")
    assert parts(job) == {"1 - t1.dicom.zip": 10, "1 - t1_localizer.dicom.zip": 1, "2 - t1.dicom.zip": 10}


@pytest.mark.parametrize("place", ["_drop_empty", "_made"])
def test_a_split_that_was_killed_is_made_again(project, places, tmp_path, monkeypatch, place):
    put_both(tmp_path / "in")
    job = until(start(project, tmp_path / "in"), "planning")
    original = getattr(localizers, place)

    def killed(*args):
        original(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(localizers, place, killed)
    with pytest.raises(KeyboardInterrupt):
        advance(job.pk, worker=worker())
    assert not Placement.objects.filter(localizer=True).exists()
    monkeypatch.setattr(localizers, place, original)
    assert run(job).imported == 12
    assert sorted(tree(project)) == [SERIES, LOCALIZER]


def test_a_plan_that_was_killed_later_is_made_again(project, places, tmp_path, monkeypatch):
    put_both(tmp_path / "in")
    job = until(start(project, tmp_path / "in"), "planning")
    original = plan.place_all

    def killed(*_):
        monkeypatch.setattr(plan, "place_all", original)
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "place_all", killed)
    with pytest.raises(KeyboardInterrupt):
        advance(job.pk, worker=worker())
    assert Contribution.objects.filter(placement__localizer=True).count() == 1
    assert run(job).imported == 12
    assert parts(job) == {"1 - t1.dicom.zip": 10, "1 - t1_localizer.dicom.zip": 2}
    assert Contribution.objects.filter(placement__localizer=True).count() == 1


def test_one_instance_twice_is_a_duplicate_in_the_localizer_too(project, places, tmp_path):
    put_both(tmp_path / "in")
    put(tmp_path / "in" / "0005_again.dcm", coronal(501))
    put(tmp_path / "in" / "0006_twin.dcm", coronal(502, PatientWeight="80"))
    job = imported(project, tmp_path / "in")
    found = reasons(job)
    assert found["0005_again.dcm"] == "skipped: Duplicate instance"
    assert found["0006_twin.dcm"].startswith("conflict: Instance UID has different content")
    assert [kind for kind, _ in conflicts(job)] == ["instance_uid_has_different_content"]


def test_names_of_localizers_fit(project, places, tmp_path):
    put_both(tmp_path / "in", SeriesDescription="x" * 64)
    imported(project, tmp_path / "in")
    assert sorted(path.rpartition("/")[2] for path in tree(project)) == [
        f"1 - {'x' * 64}.dicom.zip", f"1 - {'x' * 64}_localizer.dicom.zip",
    ]  # fmt: skip


def test_few_queries_whatever_the_number_of_series(project, places, tmp_path, django_assert_max_num_queries):
    for series in range(1, 30):
        for number in range(1, 3):
            put(tmp_path / "in" / f"{series}_{number}.dcm", axial(number, series=series))
    job = until(start(project, tmp_path / "in"), "planning")

    class Held:
        def check(self):
            return None

    with django_assert_max_num_queries(8):
        localizers.split_localizers(job, Held())
    assert Item.objects.filter(job=job, placement__localizer=True).count() == 0
