"""What many tests of the pipeline begin with."""

import pytest

from storages.tests.spots import KINDS, made


@pytest.fixture(params=KINDS)
def any_spot(request, tmp_path, servers_here):
    """An empty folder, or bucket on a server of ours."""
    return made(request.param, request, tmp_path)


@pytest.fixture
def bucket(request, tmp_path, servers_here):
    """An empty bucket of S3."""
    return made("s3", request, tmp_path)


@pytest.fixture
def one(project, places, tmp_path):
    """The project holds one series of three instances; what stands is compared at the end."""
    # Django is not set up yet when this file is read.
    from importer.tests.pipeline.drive import bytes_under, imported, leftovers, put_series, tree

    put_series(tmp_path / "one", 3)
    imported(project, tmp_path / "one")
    before = tree(project), bytes_under(places.archive)
    yield tmp_path / "two"
    after = tree(project), bytes_under(places.archive)
    assert {path: after[0].get(path) for path in before[0]} == before[0]
    assert {path: after[1].get(path) for path in before[1]} == before[1]
    assert leftovers(places) == []
