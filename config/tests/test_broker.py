"""The embedded broker, used by several processes at once as `make demo` does."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def channel(folder: str) -> Iterator:
    options = {
        "data_folder_in": f"{folder}/queue",
        "data_folder_out": f"{folder}/queue",
        "control_folder": f"{folder}/control",
    }
    connection = Connection("filesystem://localhost/", transport="config.broker:Transport", transport_options=options)
    with connection:
        yield connection.default_channel


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    return tmp_path


def bind(folder: str, name: str, start, told) -> None:
    with channel(folder) as found:
        start.wait()
        for number in range(40):
            found._queue_bind(f"exchange{number}", name, "", f"queue-{name}")
    told.put(name)


def take(folder: str, start, told) -> None:
    with channel(folder) as found:
        start.wait()
        taken = []
        while len(taken) < 200:
            try:
                taken.append(found._get("celery")["number"])
            except Empty:
                break
    told.put(taken)


def side_by_side(*calls) -> list:
    """Runs each (function, arguments) in its own process, from one starting shot; what they told."""
    start, told = SPAWN.Barrier(len(calls)), SPAWN.Queue()
    processes = [SPAWN.Process(target=call, args=(*arguments, start, told)) for call, *arguments in calls]
    for process in processes:
        process.start()
    answers = [told.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return answers


@pytest.mark.service
def test_processes_that_bind_at_the_same_moment_all_stand_in_the_table(folder):
    side_by_side(*[(bind, str(folder), name) for name in "abcd"])
    with channel(str(folder)) as found:
        assert all({row.routing_key for row in found.get_table(f"exchange{n}")} == set("abcd") for n in range(40))


@pytest.mark.service
def test_of_two_workers_each_message_goes_to_one(folder):
    with channel(str(folder)) as found:
        for number in range(200):
            found._put("celery", {"number": number})
    first, second = side_by_side((take, str(folder)), (take, str(folder)))
    assert sorted(first + second) == list(range(200))


def test_messages_come_in_the_order_in_which_they_were_sent(folder):
    with channel(str(folder)) as found:
        for number in range(20):
            found._put("celery", {"number": number})
        assert [found._get("celery")["number"] for _ in range(20)] == list(range(20))


def test_an_unfinished_message_is_not_handed_out(folder):
    with channel(str(folder)) as found:
        found._put("celery", {"number": 1})
        whole = next((folder / "queue").iterdir())
        whole.rename(whole.with_name(".half"))
        with pytest.raises(Empty):
            found._get("celery")
