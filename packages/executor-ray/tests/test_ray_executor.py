"""The executor on a cluster, and through its client server."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest
import ray

from despatch.executors import rehearsal
from despatch.interfaces import Task

ECHO = f"{rehearsal.__name__}:echo"


@pytest.fixture
def silent_address():
    """Where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_what_the_settings_bring_is_there(on_ray, cluster, tmp_path):
    (tmp_path / "brought.py").write_text(
        "import os\n\n\n"
        "def look(payload):\n"
        "    names = ('PYTHONHASHSEED', 'PLANT')\n"
        "    return ' '.join(os.environ[name] for name in names).encode()\n"
    )
    brought = {
        "working_dir": str(tmp_path),
        "env_vars": {"PYTHONHASHSEED": "7", "PLANT": "north"},
    }

    async def work():
        async with on_ray.opened(address=cluster.address, runtime_env=brought) as executor:
            return await on_ray.performed(executor, "brought:look")

    assert str(tmp_path) not in sys.path
    assert asyncio.run(work()) == b"7 north"


def test_executors_with_the_same_settings_share_a_session(on_ray, cluster):
    settings = {"address": cluster.address, "workers": 1}

    async def work():
        async with on_ray.opened(**settings) as left:
            async with on_ray.opened(**settings):
                pass
            assert await on_ray.performed(left, ECHO, b"part-1") == b"part-1"
            with pytest.raises(RuntimeError, match="in a Ray with other settings"):
                await on_ray.executor(**settings, namespace="plant").open()
            assert await on_ray.performed(left, ECHO, b"part-2") == b"part-2"
        with pytest.raises(ConnectionError, match="the executor is not open"):
            await left.run(Task(ECHO, b""))

    asyncio.run(work())
    assert not ray.is_initialized()


def test_what_raylets_tell_is_not_printed_while_it_is_open(on_ray, cluster, capsys):
    told = {"lines": ["a worker died"], "pid": "raylet", "is_err": False}

    def tell():
        """As the thread of Ray's does that listens to raylets."""
        ray._private.worker.print_to_stdstream(told, ignore_prefix=False)
        return capsys.readouterr()

    async def work():
        async with on_ray.opened(address=cluster.address):
            return tell()

    assert asyncio.run(work()) == ("", "")
    assert "a worker died" in tell().out


def test_a_worker_that_has_no_despatch_says_so(on_ray, cluster, tmp_path):
    (tmp_path / "despatch").mkdir()
    (tmp_path / "despatch" / "__init__.py").touch()

    async def work():
        settings = {"address": cluster.address, "runtime_env": {"working_dir": str(tmp_path)}}
        async with on_ray.opened(**settings) as executor:
            await executor.run(Task(ECHO, b""))

    reason = "a worker cannot perform tasks: ModuleNotFoundError: No module named 'despatch.tasks'"
    with pytest.raises(RuntimeError, match=reason):
        asyncio.run(work())


def test_a_cluster_is_used_through_its_client_server(on_ray, cluster):
    me = str(os.getpid()).encode()

    async def work():
        async with on_ray.opened(address=cluster.client_address, workers=1) as executor:
            assert await on_ray.performed(executor, ECHO, b"part-1") == b"part-1"
            with pytest.raises(ray.exceptions.WorkerCrashedError):
                await on_ray.performed(executor, f"{rehearsal.__name__}:die", me)
            under_way = asyncio.ensure_future(on_ray.performed(executor, "time:sleep"))
            under_way.cancel()
            await asyncio.wait([under_way])
            return await on_ray.performed(executor, ECHO, bytes(2_000_000))

    assert asyncio.run(work()) == bytes(2_000_000)
    assert not ray.is_initialized()


def test_nobody_at_the_address_is_told_at_once(on_ray, unused_address):
    with pytest.raises(ConnectionError, match=f"no Ray at {unused_address}: "):
        asyncio.run(on_ray.executor(address=unused_address).open())


@pytest.mark.parametrize("prefix", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_given_up_in_time(on_ray, silent_address, prefix):
    address = f"{prefix}{silent_address}"
    with pytest.raises(TimeoutError, match=f"Ray at {address} has not answered within 0.2 s"):
        asyncio.run(on_ray.executor(address=address, connect_timeout="200ms").open())
