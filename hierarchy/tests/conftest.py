import pytest


@pytest.fixture
def home(tmp_path, settings):
    """Where what is drawn is kept: a folder of this test."""
    settings.PRATIQUE_HOME = tmp_path / "home"
    return settings.PRATIQUE_HOME


@pytest.fixture
def tree(project, places, home):
    """One stored series in lab/Brain, and everything above it."""
    from hierarchy.tests.factories import NOW, make_acquisition, make_session, make_subject
    from hierarchy.tests.stored import series, store_series

    subject = make_subject(project=project, label="S-01", firstname="Ann", lastname="Doe", sex="female")
    session = make_session(
        subject=subject, label="Visit 1", uid="1.2.3", accession_number="ACC-7", age_seconds=40 * 31_557_600,
        timestamp=NOW, timestamp_offset=-300, timestamp_zone="America/New_York",
    )  # fmt: skip
    acquisition = make_acquisition(session=session, label="3 - T1w", uid="1.2.3.4")
    return store_series(series("98892003/MR700"), acquisition=acquisition, name="3 - T1w.dicom.zip")


@pytest.fixture
def member(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def stranger(client, people):
    client.force_login(people.stranger)
    return client
