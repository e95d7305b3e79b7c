from datetime import UTC, datetime, timedelta

import pytest

from importer.core import spans

NOW = datetime(2025, 11, 24, 12, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "—"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (9_960, "10 kB"),
        (526_000, "526 kB"),
        (999_600, "1.0 MB"),
        (1_400_000_000, "1.4 GB"),
        (5_000_000_000_000_000_000, "5000 PB"),
    ],
)
def test_sizes_are_decimal_with_at_most_three_digits_that_matter(number, said):
    assert spans.size(number) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (None, "—"),
        (0.04, "0.0 s"),
        (-5, "0.0 s"),
        (9.94, "9.9 s"),
        (9.99, "10 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (7_505, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (86_400 + 59, "1 d"),
        (timedelta(minutes=2), "2 min"),
    ],
)
def test_durations_say_their_two_largest_units(span, said):
    assert spans.duration(span) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "just now"), (1, "just now"), (2, "2 s ago"), (200, "3 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago")],
)
def test_a_moment_is_told_by_how_long_ago_it_was(seconds, said):
    assert spans.since(NOW - timedelta(seconds=seconds), now=NOW) == said


def test_counts_are_grouped_by_thousands():
    assert (spans.count(12480), spans.count(0), spans.count(None)) == ("12,480", "0", "—")


def test_a_moment_is_written_out():
    assert spans.moment(NOW) == "24 Nov 2025, 12:05:09"
