"""Times that come again, in UTC, whatever clocks do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from importer.core.cron import BadCron, checked_cron, next_times

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "following"),
    [
        ("0 3 * * *", [at(1, 3), at(2, 3)]),
        ("*/20 8-9 * * *", [at(1, 8), at(1, 8, 20)]),
        ("30 2 1 * *", [at(1, 2, 30), at(1, 2, 30, month=2)]),
        ("0 6 * * mon-fri", [at(1, 6), at(2, 6)]),
        ("0 6 * * 7", [at(4, 6), at(11, 6)]),
        ("0 0 l * *", [at(31), at(28, month=2)]),
        ("0 22 * jan,feb sat#1", [at(3, 22), at(7, 22, month=2)]),
    ],
)
def test_the_next_times_are_those_that_cron_means(cron, following):
    assert next_times(checked_cron(cron), NEW_YEAR, most=2) == following


def test_a_time_is_never_its_own_successor():
    assert next_times("0 3 * * *", at(1, 3)) == [at(2, 3)]


def test_where_the_clock_of_who_asks_stands_changes_nothing():
    """Half past two comes on the night in which it is skipped in Berlin, and once on that in which it comes twice."""
    for night in (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 23, tzinfo=UTC)):
        elsewhere = night.astimezone(timezone(timedelta(hours=2)))
        (following,) = next_times("30 2 * * *", elsewhere)
        assert following == night + timedelta(hours=3.5)
        assert following.tzinfo == UTC


def test_nothing_comes_after_the_end_and_the_end_itself_counts():
    assert next_times("0 3 * * *", NEW_YEAR, most=5, end=at(2, 3)) == [at(1, 3), at(2, 3)]
    assert next_times("0 3 * * *", NEW_YEAR, end=at(1, 2)) == []


def test_it_is_kept_in_one_way_of_writing():
    assert checked_cron("  0  3 * *  MON ") == "0 3 * * mon"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "every night",
        "0 3 * *",
        "0 3 * * * 0",
        "0 3 * * * 0 2030",
        "@daily",
        "R 3 * * *",
        "H 3 * * *",
        "60 3 * * *",
        "*/0 3 * * *",
        "0 3 * * foo",
        "0 3 * * 1; rm",
        "0 0 31 2 *",
        "0 3 * * *\0",
        "٣ 3 * * *",
        "1," * 60 + "1 * * * *",
    ],
)
def test_what_is_no_time_or_never_comes_is_refused_with_words(said):
    with pytest.raises(BadCron) as refused:
        checked_cron(said)
    assert "schedule" in str(refused.value)


def test_a_leap_day_comes():
    assert next_times(checked_cron("0 0 29 2 *"), NEW_YEAR) == [datetime(2028, 2, 29, tzinfo=UTC)]
