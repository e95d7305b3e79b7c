"""Paths of sources and keys of stores have one printable form: a report says the same of both."""

from hypothesis import given
from hypothesis import strategies as st

from importer.core import names
from storages.stores import keys


@given(st.binary().filter(lambda raw: b"\0" not in raw))
def test_a_key_reads_like_a_path(raw):
    assert keys.printable(raw) == names.printable(raw)


@given(st.binary())
def test_either_way_back_leads_to_the_same_bytes(raw):
    assert names.raw(keys.printable(raw)) == keys.raw(keys.printable(raw)) == raw


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_both_read_any_text_alike(text):
    assert names.raw(text) == keys.raw(text)
