"""Expressions run on UTF-8, whatever the text is made of, and cannot hang."""

import time

import pytest

from importer.core.rules import patterns, regexes
from importer.core.rules.problems import Wrong


def test_what_is_caught_is_text_again():
    found = regexes.compiled("(?P<c0>né+)/(x)?", ignore_case=True)
    assert found.caught("NÉÉ/", (1, 2)) == ["NÉÉ", ""]
    assert found.caught("nothing", (1,)) is None
    assert found.sub(r"\2-\1", "né/x") == "x-né"


def test_text_that_cannot_be_written_as_utf8_matches_as_a_question_mark():
    assert regexes.compiled("a.b$", ignore_case=False).search("a\ud800b")
    assert patterns.pattern("{sub}/*").read("a\udcff/x")[0][1] == "a?"


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|a)*$", "(.*a){20}$", "(a?){500}a{500}", r"^(\w+\s?)*$"])
def test_expressions_that_explode_elsewhere_are_over_at_once(expression):
    started = time.perf_counter()
    regexes.compiled(expression, ignore_case=True).search("a" * 100_000 + "!")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("expression", ["((a{100}){100}){100}", "(?:(?:.{1,900}){900}){9}", "x" * 2001])
def test_expressions_too_large_are_refused(expression):
    with pytest.raises(Wrong):
        regexes.compiled(expression, ignore_case=False)
