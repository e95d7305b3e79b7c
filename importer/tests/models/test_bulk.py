"""Rows by the thousand arrive as they were given, on every database."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from importer.models import Chunk, Item, Placement, bulk
from importer.tests.factories import make_job, make_placement

ODD = [
    "plain", "tab\there", "new\nline", "return\r", "back\\slash", "\\N", "\\.", "\\x41", "'quote'", '"double"', "%s",
    "Zo\u00eb", "e\u0301", "\u202e", "\U0001f9e0", "{a,b}", "NULL", "", " outer ", "\x01\x1f\x7f", "\v\f\b",
]  # fmt: skip


def rows(job, texts):
    return [(job.pk, seq, text, 1, seq, "", "", None, "failed", text) for seq, text in enumerate(texts)]


COLUMNS = ["job_id", "seq", "path", "size", "mtime_ns", "inode", "sop_uid", "placement_id", "outcome", "reason"]


@pytest.fixture
def job(db):
    return make_job(status="scanning")


def test_texts_arrive_character_for_character(job):
    bulk.insert(Item, COLUMNS, rows(job, ODD))
    found = Item.objects.filter(job=job).order_by("seq")
    assert [(item.path, item.reason) for item in found] == [(text, text) for text in ODD]
    assert {item.placement for item in found} == {None}


def test_texts_are_changed_character_for_character(job):
    bulk.insert(Item, COLUMNS, rows(job, ["x"] * len(ODD)))
    ids = Item.objects.filter(job=job).order_by("seq").values_list("id", flat=True)
    bulk.update(Item, ["reason", "outcome"], [(pk, text, "skipped") for pk, text in zip(ids, ODD, strict=True)])
    assert list(Item.objects.filter(job=job).order_by("seq").values_list("reason", flat=True)) == ODD
    assert set(Item.objects.filter(job=job).values_list("outcome", flat=True)) == {"skipped"}


def test_values_of_every_kind_are_changed(job):
    one, other = make_placement(job), make_placement(job)
    said = {"a": ["\\", "\n", "Zo\u00eb", None, 1.5, True]}
    version = uuid.uuid4()
    columns = ["said", "candidates", "version_id", "file_id", "outcome", "count"]
    bulk.update(
        Placement, columns, [(one.pk, said, [said], version, 7, None, 3), (other.pk, {}, [], None, None, "imported", 0)]
    )
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.said, one.candidates, one.version_id, one.file_id, one.outcome, one.count) == (
        said, [said], version, 7, None, 3,
    )  # fmt: skip
    assert (other.said, other.candidates, other.version_id, other.file_id, other.outcome) == (
        {}, [], None, None, "imported",
    )  # fmt: skip


def test_moments_and_bytes_are_changed(job):
    chunk = Chunk.objects.create(job=job, work="extract", first_seq=0, count=1)
    until = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    bulk.update(Chunk, ["leased_until", "entries"], [(chunk.pk, until, b"\x00\xff\\x")])
    chunk.refresh_from_db()
    assert (chunk.leased_until, bytes(chunk.entries)) == (until, b"\x00\xff\\x")


def test_constraints_answer_as_always(job):
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(Item, COLUMNS, [*rows(job, ["a"]), *rows(job, ["b"])])
    wrong = [(job.pk, 0, "p", 1, 0, "", "", None, "odd", "")]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(Item, COLUMNS, wrong)
    nothing = [(job.pk, 0, "p", 1, 0, "", "", None, None, "")]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(Item, COLUMNS, nothing)
    assert not Item.objects.exists()


def test_many_rows_are_one_statement(job):
    with CaptureQueriesContext(connection) as seen:
        bulk.insert(Item, COLUMNS, rows(job, [f"{n}" for n in range(1500)]))
    assert len(seen) <= 1
    ids = list(Item.objects.filter(job=job).values_list("id", flat=True))
    with CaptureQueriesContext(connection) as seen:
        bulk.update(Item, ["reason"], [(pk, "x") for pk in ids])
    assert len(seen) <= 2
    assert Item.objects.filter(reason="x").count() == 1500


def test_nothing_is_no_statement(job):
    with CaptureQueriesContext(connection) as seen:
        bulk.update(Item, ["reason"], [])
    assert len(seen) == 0
