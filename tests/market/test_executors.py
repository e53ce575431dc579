"""Survival elsewhere: in processes, in threads, with Dask, the answer is the same to the bit; and interrupted."""

import multiprocessing
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from threading import Timer

import numpy as np
import pytest

from marginlab import Perpetual, Position, venues
from marginlab.checks import Frozen
from marginlab.market import Brownian, survival

BOOK = [
    Position(Perpetual("BTC-USDT", "BTC", "USDT"), 40, 50_000),
    Position(Perpetual("ETH-USDT", "ETH", "USDT"), -900, 2_000),
]
RATES = np.where(np.arange(30) % 8 == 7, 0.002, 0.0)


def worked(executor=None, count=5_300, **words):
    paths = Brownian({"BTC": 50_000, "ETH": 2_000}, 30, count, volatility=2, correlation=0.5, drift=0.1,
                     rng=np.random.default_rng(3))  # fmt: skip
    return survival(venues.TEACHING_TIERS, BOOK, paths, {"BTC-USDT": RATES}, horizons=3, executor=executor, **words)


@pytest.fixture(scope="module")
def serial():
    return worked()


def same(one, other):
    assert one.horizons == other.horizons and one.pools.keys() == other.pools.keys()
    assert np.array_equal(one.number, other.number)
    for mine, yours in ((one.trough, other.trough), (one.gain, other.gain)):
        assert all(np.array_equal(mine[name], yours[name]) for name in one.pools)


def test_in_processes(serial):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        same(serial, worked(executor, chunk=2_000))
        same(serial, worked(executor))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("chunk", [1, 4_000, 10**6])
def test_in_threads(serial, workers, chunk):
    with ThreadPoolExecutor(workers) as executor:
        same(serial, worked(executor, chunk=chunk))


def test_with_dask(serial):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        same(serial, worked(client.get_executor(), chunk=2_000))


class Backwards(Executor):
    """Work that is done at once, and handed in from the last task to the first."""

    def __init__(self):
        self.tasks = []

    def submit(self, work, task):
        future = Future()
        self.tasks.append((future, work(task)))
        Timer(0.3 / len(self.tasks), future.set_result, [self.tasks[-1][1]]).start()
        return future


def test_in_whatever_order(serial):
    executor = Backwards()
    same(serial, worked(executor, chunk=2_000))
    assert len(executor.tasks) == 3


def test_tasks_are_whole_blocks():
    class Counting(ThreadPoolExecutor):
        def submit(self, work, task):
            asked.append([*task[1]])
            return super().submit(work, task)

    for chunk, blocks in ((1, [[0], [1], [2]]), (3_999, [[0], [1], [2]]), (4_000, [[0, 1], [2]]), (6_001, [[0, 1, 2]])):
        asked = []
        with Counting(1) as executor:
            worked(executor, chunk=chunk)
        assert asked == blocks


class Interrupted(Executor):
    """Two tasks are done, the third is interrupted, the rest wait."""

    def __init__(self, done=2):
        self.futures, self.done = [], done

    def submit(self, work, task):
        future = Future()
        self.futures.append(future)
        if len(self.futures) <= self.done:
            future.set_result(work(task))
        elif len(self.futures) == self.done + 1:
            Timer(0.3, future.set_exception, [KeyboardInterrupt()]).start()
        return future


def test_an_interruption_keeps_what_is_complete(capsys):
    executor, whole = Interrupted(), worked(count=10_000)
    part = worked(executor, 10_000, chunk=2_000)
    assert "4,000 of 10,000 paths" in capsys.readouterr().out
    assert part.number.tolist() == list(range(4_000))
    assert [future.cancelled() for future in executor.futures] == [False] * 3 + [True] * 2
    for name in whole.pools:
        assert np.array_equal(part.trough[name], whole.trough[name][:, :4_000])
        assert np.array_equal(part.gain[name], whole.gain[name][:4_000])


def test_interrupted_before_anything_is_complete(capsys):
    executor = Interrupted(0)
    with pytest.raises(KeyboardInterrupt):
        worked(executor, 6_000, chunk=2_000)
    assert capsys.readouterr().out == ""
    assert [future.cancelled() for future in executor.futures] == [False, True, True]


def test_an_error_in_a_worker_is_raised_and_the_rest_cancelled(monkeypatch):
    def troughs(book, block):
        raise ArithmeticError("in block", block)

    monkeypatch.setattr(sys.modules[survival.__module__], "troughs", troughs)
    waiting = []

    class Failing(Executor):
        def submit(self, work, task):
            waiting.append(Future())
            if len(waiting) == 1:
                try:
                    work(task)
                except ArithmeticError as error:
                    waiting[0].set_exception(error)
            return waiting[-1]

    with pytest.raises(ArithmeticError, match="in block"):
        worked(Failing(), chunk=1)
    assert [future.cancelled() for future in waiting] == [False, True, True]


def test_a_frozen_mapping_survives_the_journey(serial):
    import pickle

    again = pickle.loads(pickle.dumps(serial))
    same(serial, again)
    assert type(again.pools[serial.shared].marks) is Frozen
    assert again.survived(1e5, again.shared) == serial.survived(1e5, serial.shared)
