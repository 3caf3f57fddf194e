"""``python -m despatch.executors FD``: a worker of the executor `local`.

It ends with the process that has it: whatever it is at, a thread waits for the end of the wire.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import sys
import threading

from despatch.executors.frames import LENGTH_BYTES, READY, SEPARATOR
from despatch.tasks import Task


def main() -> None:
    """Take the wire, and perform what comes by it."""
    # The process that has it decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire = socket.socket(fileno=int(sys.argv[1]))
    wire.set_inheritable(False)
    frames: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(wire, frames), daemon=True).start()
    sys.path[:] = json.loads(frames.get())
    answer = READY
    while True:
        wire.sendall(len(answer).to_bytes(LENGTH_BYTES, "big"))
        wire.sendall(answer)
        function, _, payload = frames.get().partition(SEPARATOR)
        answer = Task(function.decode(), payload).perform()


def _take(wire: socket.socket, frames: queue.SimpleQueue[bytes]) -> None:
    with wire.makefile("rb") as stream:
        while len(length := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
            frames.put(stream.read(int.from_bytes(length, "big")))
    os._exit(0)


if __name__ == "__main__":
    main()
