"""An executor where the program itself has joined a Ray."""

from __future__ import annotations

import asyncio
import logging
import signal

import pytest
import ray

from despatch.executors import rehearsal

ECHO = f"{rehearsal.__name__}:echo"


@pytest.fixture(scope="module", autouse=True)
def joined(cluster):
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()
    signal.signal(signal.SIGTERM, handler)


def test_that_one_is_used_and_not_ended(on_ray):
    async def work():
        async with on_ray.opened(address="auto") as auto, on_ray.opened() as other:
            assert auto.workers == other.workers == 2
            answers = [await on_ray.performed(each, ECHO, b"part-1") for each in (auto, other)]
        return answers

    assert asyncio.run(work()) == [b"part-1", b"part-1"]
    assert ray.is_initialized()
    assert ray.get(ray.remote(num_cpus=0)(lambda: 3).remote()) == 3


def test_another_one_is_refused(on_ray, cluster):
    async def work(**settings):
        async with on_ray.opened(**settings):
            pass

    for settings in (
        {"address": cluster.address},
        {"namespace": "plant"},
        {"runtime_env": {"working_dir": "."}},
        {"object_store_mb": 100},
    ):
        [name] = settings
        with pytest.raises(RuntimeError, match=f"leave out `{name}`, or call ray.shutdown()"):
            asyncio.run(work(**settings))
    assert ray.is_initialized()


def test_workers_find_what_the_program_finds_and_hash_alike(on_ray, tmp_path, monkeypatch, capfd):
    (tmp_path / "telling.py").write_text(
        "import os\n\n\n"
        "def tell(payload):\n"
        "    print('told')\n"
        "    return os.environ['PYTHONHASHSEED'].encode()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    async def work(**settings):
        async with on_ray.opened(**settings) as executor:
            return await on_ray.performed(executor, "telling:tell")

    assert asyncio.run(work()) == b"0"
    assert capfd.readouterr() == ("", "told\n")


def test_a_task_takes_the_cpus_that_the_settings_say(on_ray):
    async def work(**settings):
        async with on_ray.opened(**settings) as executor:
            return executor.workers

    assert asyncio.run(work()) == 2
    assert asyncio.run(work(num_cpus=0.5)) == 4
    assert asyncio.run(work(num_cpus=2)) == 1
    assert asyncio.run(work(num_cpus=2, workers=7)) == 7
    with pytest.raises(RuntimeError, match="has 2 CPUs, and a task takes 3: start machines"):
        asyncio.run(work(num_cpus=3))


def test_a_look_says_what_is_there_and_what_is_too_much(on_ray):
    health = asyncio.run(on_ray.executor(address="auto").check())
    assert health.findings == [f"Ray {ray.__version__}, 2 CPUs in the cluster: 2 workers"]
    assert not health.warnings
    health = asyncio.run(on_ray.executor(address="auto", workers=5).check())
    assert health.warnings == ["5 workers need more than the 2 CPUs in the cluster"]
