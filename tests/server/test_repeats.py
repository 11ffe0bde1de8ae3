"""Clients that ask again, through the real door: what is painted once, what is painted anew, and what they are told."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import acme_pictures
import ai_sdk
import openai
import pytest
from server_process import ServerProcess, until

SLOW_SECONDS = 2.5


@contextmanager
def serving(folder: Path, settings: str) -> Iterator[ServerProcess]:
    """A server of the acme models with these settings, in TOML."""
    path = folder / "calotype.toml"
    path.write_text(settings)
    with ServerProcess("--config", str(path), environment=acme_pictures.install(folder)) as process:
        yield process


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Its whole answers begin with spaces after a second."""
    settings = "answer_begin_seconds_max = 1\n[queue]\nrunning_max = 4\nwaiting_max = 4\n"
    with serving(tmp_path_factory.mktemp("acme"), settings) as process:
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


@pytest.mark.parametrize("timeout", ["_timeout", "_clientTimeout"])
def test_openais_client_for_node_does_the_same(acme: ServerProcess, timeout: str) -> None:
    before = next_count(acme)
    # It announces a call's own time, in whole seconds, and says nothing of the client's. The answer begins in time, and
    # is not whole by then.
    result = by_node(acme, model="acme/slow", prompt="a fox from elsewhere", **{timeout: 2000})["result"]
    assert int(painted(result)) == before + 1
    assert next_count(acme) == before + 2


def by_node(server: ServerProcess, **body: Any) -> Any:
    script = Path(__file__).parent.parent / "clients/openai-images.mjs"
    command = ("node", str(script), f"{server.url}/v1", "unused", "generate", json.dumps(body))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


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


@pytest.mark.parametrize("same", [{}, {"seed": 5}], ids=["without a seed", "with a seed"])
def test_openais_clients_raise_for_a_late_failure_and_paint_once(acme: ServerProcess, same: dict[str, int]) -> None:
    before = next_count(acme)
    with client(acme, timeout=60) as patient, pytest.raises(openai.InternalServerError, match="the brush broke"):
        patient.images.generate(model="acme/slow-breaks", prompt="a fox that is late", extra_body=same)
    assert next_count(acme) == before + 2
    # Node's does not ask again for an answer that broke; its caller may.
    broken, told = (by_node(acme, model="acme/slow-breaks", prompt="a late one", **same)["error"] for _ in range(2))
    assert "status" not in broken
    assert (told["class"], told["status"]) == ("InternalServerError", 500)
    assert "the brush broke" in told["message"]
    assert next_count(acme) == before + 4


@pytest.mark.parametrize("via", ["openai", "compatible"])
@pytest.mark.parametrize("model", ["acme/has-a-bug-too", "acme/slow-breaks"])
def test_what_is_in_vain_is_painted_once_for_ai_sdks_that_ask_again_all_the_same(
    acme: ServerProcess, via: str, model: str
) -> None:
    before = next_count(acme)
    told = ai_sdk.run(6, acme, via=via, path="/v1", model=model, prompt=f"a fox, {via}, {model}")
    assert "error" in told
    assert next_count(acme) == before + 2


def test_a_client_that_was_refused_is_painted_a_picture_of_its_own(tmp_path: Path) -> None:
    """Three equal requests at once, room for two: the third is told to come back, and does."""
    with serving(tmp_path, "[queue]\nrunning_max = 2\nwaiting_max = 0\n") as crowded:

        def generate(_: int) -> int:
            with client(crowded, timeout=60, max_retries=5) as patient:
                [image] = patient.images.generate(model="acme/slow", prompt="a fox for everybody").data or []
                seed: int = json.loads(image.model_dump_json())["seed"]
                return seed

        with ThreadPoolExecutor(3) as pool:
            seeds = list(pool.map(generate, range(3)))
    assert len(set(seeds)) == 3


def test_callers_with_different_keys_share_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, '[keys]\nada = "secret-of-ada"\nbob = "secret-of-bob"\n') as server:
        answers = [
            server.post(
                "/v1/images/generations",
                {"model": "acme/slow", "prompt": "a red fox", **same},
                authorization=f"Bearer secret-of-{name}",
                **headers,
            )[1]
            for same, headers in (({"seed": 4}, {}), ({}, {"idempotency_key": "k"}))
            for name in ("ada", "bob", "ada")
        ]
    counts = [painted(answer) for answer in answers]
    assert counts[0] == counts[2] != counts[1]
    assert counts[3] == counts[5] != counts[4]


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


def test_callers_behind_a_configured_proxy_are_told_apart(tmp_path: Path) -> None:
    with serving(tmp_path, 'proxies = ["127.0.0.1"]\n') as behind:
        counts = [
            painted(ask(behind, idempotency_key="k", x_forwarded_for=address)[1])
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
        ]
        assert ask(behind, idempotency_key="k", x_forwarded_for="192.0.2.3", n=2)[0] == 200
    assert counts[0] == counts[2] != counts[1]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One place, and room to wait."""
    with serving(tmp_path_factory.mktemp("narrow"), "[queue]\nrunning_max = 1\nwaiting_max = 4\n") as process:
        yield process


def answered(server: ServerProcess, body: dict[str, Any], **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    data = json.dumps({"prompt": "a red fox", **body})
    connection.request("POST", "/v1/images/generations", data, {"content-type": "application/json", **headers})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response, text


@contextmanager
def occupied(server: ServerProcess) -> Iterator[None]:
    """Its one place is taken for a while."""
    holder = threading.Thread(target=ask, args=(server,), kwargs={"model": "acme/slow"})
    holder.start()
    until(lambda: ask(server, model="acme/brush", prefer="wait=1")[0] == 429, "the first caller's turn")
    yield
    holder.join()


def test_who_waits_is_told_where_it_stands(narrow: ServerProcess) -> None:
    stream = {"model": "acme/film", "stream": True, "progress": True}
    with occupied(narrow), ThreadPoolExecutor(2) as pool:
        first = pool.submit(answered, narrow, {"model": "acme/slow"})
        time.sleep(0.3)
        second = pool.submit(answered, narrow, stream)
        response, _ = first.result()
        _, text = second.result()
    assert response.headers["x-calotype-queue-position"] == "0"
    assert 0 < float(response.headers["x-calotype-queue-seconds"]) < 60
    events = [json.loads(line[6:]) for line in text.decode().splitlines() if line.startswith("data: ")]
    assert (events[0]["type"], events[0]["position"]) == ("image_generation.queued", 1)
    assert 0 < events[0]["seconds"] < 60
    assert events[-1]["type"] == "image_generation.completed"


def test_a_deadline_that_was_refused_may_be_tried_again(narrow: ServerProcess) -> None:
    with occupied(narrow):
        response, _ = answered(narrow, {"model": "acme/brush"}, Prefer="wait=1")
    assert (response.status, response.headers["x-should-retry"]) == (429, "true")
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert 0 < int(response.headers["retry-after-ms"]) <= 60_000


def test_one_of_two_who_joined_may_leave(acme: ServerProcess) -> None:
    before = next_count(acme)
    with ThreadPoolExecutor(1) as pool:
        headers = {"idempotency-key": "shared"}
        leaving = pool.submit(leave, acme, headers, "one-of-two", after=1.0)
        time.sleep(0.3)
        status, answer = ask(acme, idempotency_key="shared", user="one-of-two")
        leaving.result()
    assert (status, painted(answer)) == (200, str(before + 1))
    assert acme.record("one-of-two")["error"] == "CallerLeftError"
