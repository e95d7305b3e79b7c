"""What rules and people say about containers and files is on their pages, and nothing where nobody said anything."""

import pytest

from hierarchy.templatetags.tree import lines_of
from hierarchy.tests.browsing import addresses, text

pytestmark = pytest.mark.django_db

LEVELS = ["project", "subject", "session", "acquisition", "file"]
INFO = {
    "site": "A<b>",
    "scanner": {"station": "MR\u202e1", "field": 3, "coils": ["head", "neck"]},
    "checked": True,
    "x": {},
}


def at(version, level):
    """The container of that level, or the file."""
    found = version.file
    while found._meta.model_name != level:
        above = {"file": "acquisition", "acquisition": "session", "session": "subject", "subject": "project"}
        found = getattr(found, above[found._meta.model_name])
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_information_and_tags_are_shown(member, tree, level, django_assert_max_num_queries):
    one = at(tree, level)
    type(one).objects.filter(pk=one.pk).update(info=INFO, tags=["trial", "a & b"])

    with django_assert_max_num_queries(16):
        page = text(member.get(addresses(tree)[level]))

    assert '<h2 id="information-title">Information</h2>' in page
    assert "scanner.station</dt><dd>MR\\u202e1</dd>" in page
    assert "scanner.coils</dt><dd>head, neck</dd>" in page
    assert "site</dt><dd>A&lt;b&gt;</dd>" in page
    assert '<li class="tag name">a &amp; b</li>' in page


@pytest.mark.parametrize("level", LEVELS)
def test_where_nobody_said_anything_there_is_no_card(member, tree, level):
    assert "information-title" not in text(member.get(addresses(tree)[level]))


def test_tags_alone_have_a_card(member, tree):
    at(tree, "session").__class__.objects.update(tags=["only"])
    page = text(member.get(addresses(tree)["session"]))
    assert '<li class="tag name">only</li>' in page
    assert page.count("<dl") == 1


def test_a_file_shows_its_classification(member, tree):
    type(tree.file).objects.update(classification={"Intent": ["Structural"], "Measurement": ["T1", "T2"]})
    page = text(member.get(addresses(tree)["file"]))
    assert "Intent</dt><dd>Structural</dd>" in page
    assert "Measurement</dt><dd>T1, T2</dd>" in page


def test_a_subject_says_what_it_is(member, tree):
    type(at(tree, "subject")).objects.update(type="animal", species="Mus musculus", strain="C57BL/6")
    assert "animal, Mus musculus, strain C57BL/6." in text(member.get(addresses(tree)["subject"]))


def test_lines_are_by_name_at_whatever_depth():
    said = {"b": {"y": None, "x": {"z": 1.5}}, "a": "1", "c": [{"d": 1}], "e": [], "f": False}
    assert lines_of(said) == [
        ("a", "1"), ("b.x.z", "1.5"), ("b.y", "null"), ("c", '[{"d": 1}]'), ("e", "[]"), ("f", "false"),
    ]  # fmt: skip
