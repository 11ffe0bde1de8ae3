"""Clients that ask again, through the real door: what is painted once, what is painted anew, and what they are told."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import acme_pictures
import openai
import pytest
from server_process import ServerProcess

SLOW_SECONDS = 2.5


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Its whole answers begin with spaces after a second."""
    settings = tmp_path_factory.mktemp("settings") / "calotype.toml"
    settings.write_text("answer_begin_seconds_max = 1\n[queue]\nrunning_max = 4\nwaiting_max = 4\n")
    environment = acme_pictures.install(tmp_path_factory.mktemp("acme"))
    with ServerProcess("--config", str(settings), environment=environment) as process:
        yield process


def ask(server: ServerProcess, **body: Any) -> tuple[int, Any]:
    headers = {name: body.pop(name) for name in tuple(body) if name.startswith(("idempotency", "x_", "prefer"))}
    return server.post("/v1/images/generations", {"prompt": "a red fox", "model": "acme/slow", **body}, **headers)


def painted(answer: Any) -> str:
    """Which painting it was, as the model counts."""
    [count] = [warning["details"] for warning in answer["warnings"] if warning["feature"] == "painted"]
    return str(count)


def at_once(server: ServerProcess, *bodies: dict[str, Any]) -> list[tuple[int, Any]]:
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: ask(server, **body), bodies))


def test_three_equal_requests_at_once_are_three_pictures(acme: ServerProcess) -> None:
    answers = at_once(acme, {}, {}, {})
    assert [status for status, _ in answers] == [200] * 3
    assert len({painted(answer) for _, answer in answers}) == 3
    assert len({answer["data"][0]["seed"] for _, answer in answers}) == 3


def test_three_equal_requests_with_a_seed_are_one_picture_also_later(acme: ServerProcess) -> None:
    answers = [answer for _, answer in at_once(acme, *[{"seed": 7}] * 3)]
    began = time.monotonic()
    later = ask(acme, seed=7)[1]
    assert time.monotonic() - began < SLOW_SECONDS / 2
    assert answers == [later] * 3


def test_a_strict_request_is_not_answered_with_what_another_was_told(acme: ServerProcess) -> None:
    lenient = {"model": "acme/brush", "seed": 3, "negative_prompt": "blue"}
    assert ask(acme, **lenient)[0] == 200
    assert ask(acme, **lenient, x_calotype_strict="true")[0] == 400


def test_a_key_is_answered_once_and_with_another_body_refused(acme: ServerProcess) -> None:
    (_, first), (_, second) = at_once(acme, *[{"idempotency_key": "k1"}] * 2)
    assert first == second == ask(acme, idempotency_key="k1")[1]
    status, answer = ask(acme, idempotency_key="k1", n=2)
    assert (status, answer["error"]["code"]) == (422, "idempotency_key_reused")


def client(server: ServerProcess, *, timeout: float, max_retries: int = 2) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", timeout=timeout, max_retries=max_retries)


def records_of(server: ServerProcess, prompt_user: str) -> list[dict[str, Any]]:
    return [record for record in server.records() if record["request_id"].startswith(prompt_user)]


def test_a_client_that_times_out_and_asks_again_joins_what_it_began(acme: ServerProcess) -> None:
    before = next_count(acme)
    with client(acme, timeout=0.8) as impatient:
        # Its read timeout ends the first attempts, since the answer begins after a second only.
        result = impatient.images.generate(model="acme/slow", prompt="a patient fox")
    assert result.data
    assert int(painted(json.loads(result.model_dump_json()))) == before + 1
    assert next_count(acme) == before + 2


def test_openais_client_for_node_does_the_same(acme: ServerProcess) -> None:
    before = next_count(acme)
    body = json.dumps({"model": "acme/slow", "prompt": "a fox from elsewhere", "_timeout": 2000})
    script = Path(__file__).parent.parent / "clients/openai-images.mjs"
    # It announces its time in whole seconds. The answer begins in time, and is not whole by then.
    command = ("node", str(script), f"{acme.url}/v1", "unused", "generate", body)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(painted(json.loads(done.stdout)["result"])) == before + 1
    assert next_count(acme) == before + 2


def next_count(server: ServerProcess) -> int:
    return int(painted(ask(server)[1]))


def test_a_caller_who_gives_up_sooner_ends_the_work(acme: ServerProcess) -> None:
    leave(acme, {"x-stainless-retry-count": "0", "x-stainless-read-timeout": "600"}, "gives-up", after=0.3)
    assert acme.record("gives-up")["error"] == "CallerLeftError"
    status, answer = ask(acme, x_stainless_retry_count="1", user="gives-up")
    assert status == 200
    assert painted(answer) == str(next_count(acme) - 1)


def test_kept_work_waits_for_its_caller(acme: ServerProcess) -> None:
    before = next_count(acme)
    leave(acme, {"idempotency-key": "kept", "x-calotype-keep": "true"}, "leaves-kept", after=0.3)
    answer = ask(acme, idempotency_key="kept", user="leaves-kept")[1]
    assert int(painted(answer)) == before + 1
    assert ask(acme, x_calotype_keep="true")[1]["error"]["param"] == "X-Calotype-Keep"


def leave(server: ServerProcess, headers: dict[str, str], request_id: str, *, after: float) -> None:
    """Ask, and hang up."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    body = json.dumps({"prompt": "a red fox", "model": "acme/slow", "user": request_id})
    connection.request(
        "POST",
        "/v1/images/generations",
        body,
        {"content-type": "application/json", "x-request-id": request_id, **headers},
    )
    threading.Event().wait(after)
    connection.close()


def test_a_long_answer_begins_with_spaces_and_is_json(acme: ServerProcess) -> None:
    address = urlsplit(acme.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    body = json.dumps({"prompt": "a red fox", "model": "acme/slow"})
    began = time.monotonic()
    connection.request("POST", "/v1/images/generations", body, {"content-type": "application/json"})
    response = connection.getresponse()
    assert 1 <= time.monotonic() - began < SLOW_SECONDS
    text = response.read()
    connection.close()
    assert text.startswith(b" ")
    assert json.loads(text)["model"] == "acme/slow"


def test_a_late_failure_breaks_the_connection_and_the_next_attempt_is_told(acme: ServerProcess) -> None:
    address = urlsplit(acme.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    body = json.dumps({"prompt": "a red fox", "model": "acme/slow-breaks", "user": "late"})
    connection.request("POST", "/v1/images/generations", body, {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    began = time.monotonic()
    status, answer = ask(acme, model="acme/slow-breaks", user="late", x_stainless_retry_count="1")
    assert time.monotonic() - began < SLOW_SECONDS / 2
    assert (status, answer["error"]["message"]) == (500, "the brush broke")


def test_openais_client_raises_for_a_late_failure_and_paints_once(acme: ServerProcess) -> None:
    before = next_count(acme)
    with client(acme, timeout=60) as patient, pytest.raises(openai.InternalServerError, match="the brush broke"):
        patient.images.generate(model="acme/slow-breaks", prompt="a fox that is late")
    assert next_count(acme) == before + 2


def test_what_the_queue_cannot_meet_in_time_is_refused_before_any_work(acme: ServerProcess) -> None:
    before = next_count(acme)
    holders = [threading.Thread(target=ask, args=(acme,)) for _ in range(5)]
    for holder in holders:
        holder.start()
    began = time.monotonic()
    # What is painted at once, as long as there is a place.
    while (refused := ask(acme, model="acme/brush", prefer="wait=1"))[0] == 200:
        assert time.monotonic() - began < SLOW_SECONDS
    status, answer = refused
    assert (status, answer["error"]["code"]) == (429, "deadline")
    assert time.monotonic() - began < SLOW_SECONDS
    for holder in holders:
        holder.join()
    assert next_count(acme) == before + 6


def test_answers_say_how_the_queue_stood(acme: ServerProcess) -> None:
    address = urlsplit(acme.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    body = json.dumps({"prompt": "a red fox", "model": "acme/brush"})
    connection.request("POST", "/v1/images/generations", body, {"content-type": "application/json"})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.headers["x-calotype-queue-position"] == "0"
    assert response.headers["x-calotype-queue-seconds"] == "0"


def test_a_stream_tells_of_its_progress_to_those_who_ask(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    body = {"prompt": "a red fox", "num_inference_steps": 3, "stream": True, "progress": True, "seed": 1}
    connection.request("POST", "/v1/images/generations", json.dumps(body), {"content-type": "application/json"})
    text = connection.getresponse().read().decode()
    connection.close()
    events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    steps = [(event["step"], event["steps"]) for event in events if event["type"] == "image_generation.progress"]
    assert steps
    assert steps[-1] == (3, 3)
    assert events[-1]["type"] == "image_generation.completed"
