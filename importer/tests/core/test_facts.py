"""What a header says about containers, to JSON and back."""

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from importer.core.facts import as_fields, facts
from importer.core.records import Moment
from importer.core.series import Settled

LOCAL = datetime(2020, 1, 2, 3, 4, 5, 678000, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


def through_json(**said):
    return json.loads(json.dumps(facts(Settled(**said))))


def test_only_what_was_said_is_kept():
    assert through_json() == {"subject": {}, "session": {}, "acquisition": {}, "modality": ""}


def test_an_age_or_a_weight_of_nothing_was_said_all_the_same():
    assert as_fields(through_json(age_seconds=0, weight_kg=0.0), "session") == {"age_seconds": 0, "weight_kg": 0.0}


def test_a_moment_keeps_its_instant_its_offset_and_its_zone():
    found = as_fields(through_json(session_time=Moment(LOCAL, "UTC-05:30")), "session")
    assert found == {"timestamp": LOCAL, "timestamp_offset": -330, "timestamp_zone": "UTC-05:30"}
    assert found["timestamp"].utcoffset() == LOCAL.utcoffset()


def test_a_zone_gives_the_offset_of_that_day():
    summer = Moment(datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Zurich")), "Europe/Zurich")
    found = as_fields(through_json(acquisition_time=summer), "acquisition")
    assert (found["timestamp_offset"], found["timestamp_zone"]) == (120, "Europe/Zurich")


def test_each_level_has_its_own():
    said = through_json(firstname="Jane", sex="female", operator="Roe", accession_number="7", modality="MR")
    assert as_fields(said, "subject") == {"firstname": "Jane", "sex": "female"}
    assert as_fields(said, "session") == {"operator": "Roe", "accession_number": "7"}
    assert as_fields(said, "acquisition") == as_fields({}, "subject") == {}
    assert said["modality"] == "MR"
