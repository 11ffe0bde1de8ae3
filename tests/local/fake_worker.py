"""Stands in for the worker, and misbehaves as its first argument says."""

from __future__ import annotations

import sys
import time

from calotype_provider.local.messages import LoadModel, ModelLoading, WorkerReady, encode_frame, read_command

ENDLESS = 0xFFFFFFFF.to_bytes(4, "big")
TORN = encode_frame(WorkerReady())[:-1]


def main() -> None:
    kind = sys.argv[1]
    if kind == "mute":
        time.sleep(600)
    out = sys.stdout.buffer
    out.write({"endless frame": ENDLESS, "torn frame": TORN}.get(kind) or encode_frame(WorkerReady()))
    out.flush()
    while kind != "torn frame" and (command := read_command(sys.stdin.buffer)) is not None:
        if kind == "hangs when loading" and isinstance(command, LoadModel):
            out.write(encode_frame(ModelLoading(command.model_id, 0.0)))
            out.flush()


if __name__ == "__main__":
    main()
