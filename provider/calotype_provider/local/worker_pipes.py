"""The worker's ends of the two pipes to the server."""

from __future__ import annotations

import logging
import os
import threading
from typing import BinaryIO, NoReturn

from calotype_provider.local.command_queue import CommandQueue
from calotype_provider.local.messages import Cancel, Cancelled, Event, FrameError, encode_frame, read_command

logger = logging.getLogger("calotype.worker")


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """stdin and stdout for the protocol alone; what anybody prints goes to stderr."""
    commands = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return commands, events


class Outbox:
    """The pipe to the server, shared by the threads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Raises FrameError when the event is larger than a frame may be."""
        frame = encode_frame(event)
        try:
            with self._lock:
                self._stream.write(frame)
                self._stream.flush()
        except BrokenPipeError:
            os._exit(0)


def read_commands(stream: BinaryIO, queue: CommandQueue, outbox: Outbox) -> NoReturn:
    """On the reader's thread: fill the queue until the stream ends, and then end the process, whatever it is doing."""
    status = 1
    try:
        while (command := read_command(stream)) is not None:
            if not isinstance(command, Cancel):
                queue.put(command)
            elif queue.cancel(command):
                outbox.send(Cancelled(command.request_id))
        status = 0
    except (FrameError, OSError, MemoryError) as error:
        logger.critical("the server's pipe is broken: %s", error)
    finally:
        os._exit(status)
