"""A local S3 (moto) in a process of its own, on a free loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from types import TracebackType

ACCESS_KEY = "AKIDTESTTESTTESTTEST"
SECRET_KEY = "never-in-a-log-0123456789abcdefghijklmn"
REGION = "eu-central-1"

PROGRAM = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


class S3Process:
    """With the bucket `pictures` in it. Ends with its standard input, so that it cannot outlive the tests."""

    def __enter__(self) -> S3Process:
        environment = {**os.environ, "AWS_DEFAULT_REGION": REGION}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        body = (
            f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        )
        request = urllib.request.Request(f"{self.url}/pictures", data=body.encode(), method="PUT")
        with urllib.request.urlopen(request) as response:
            assert response.status == 200
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.process:
            pass

    @property
    def environment(self) -> dict[str, str]:
        """What obstore reads."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
