"""Jobs, through the real door: kept before they are promised, painted as if somebody waited, and never lost."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import acme_pictures
import pytest
from PIL import Image
from server_process import ServerProcess, until

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
ENDED = {"succeeded", "failed", "cancelled"}
LONG = {"prompt": "a red fox", "num_inference_steps": 50, "n": 10, "seed": 1}
STEPS_AFTER_MAX = 3 * 10
"""A step of all ten pictures may be under way when a job is cancelled, and one more before the news has come."""


class Answer:
    def __init__(self, status: int, headers: Any, body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body


def ask(server: ServerProcess, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    named = {"content-type": "application/json"} if data else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.url + path, data, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return Answer(response.status, response.headers, json.loads(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, json.loads(error.read()))


def accept(server: ServerProcess, body: dict[str, Any], path: str = GENERATIONS, **headers: str) -> Any:
    """The job."""
    answer = ask(server, "POST", path, body, prefer="respond-async", **headers)
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"/v1/jobs/{answer.body['id']}"
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.body["object"] == "job"
    return answer.body


def job(server: ServerProcess, job_id: str, query: str = "", **headers: str) -> Any:
    answer = ask(server, "GET", f"/v1/jobs/{job_id}{query}", **headers)
    assert answer.status == 200, answer.body
    return answer.body


def until_ended(server: ServerProcess, job_id: str) -> Any:
    until(lambda: job(server, job_id)["state"] in ENDED, f"the end of {job_id}")
    return job(server, job_id)


def until_running(server: ServerProcess, job_id: str) -> None:
    until(lambda: job(server, job_id).get("progress", {}).get("step", 0) > 0, f"a step of {job_id}")


def pictures(answer: Any) -> list[str]:
    return [item["b64_json"] for item in answer["data"]]


def picture() -> str:
    data = io.BytesIO()
    Image.new("RGB", (128, 128), (200, 40, 40)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def engine(server: ServerProcess) -> Any:
    return server.get("/v1/engine")[1]


def wait_until_idle(server: ServerProcess) -> None:
    until(lambda: (engine(server)["waiting"], engine(server)["running"]) == (0, 0), "an idle engine")


def events(server: ServerProcess, job_id: str) -> Iterator[tuple[str, Any]]:
    """Name and data of each event, as they come."""
    with urllib.request.urlopen(f"{server.url}/v1/jobs/{job_id}/events", timeout=120) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        while line := response.readline():
            if line.startswith(b"event: "):
                data = response.readline()
                assert data.startswith(b"data: ")
                yield line[7:-1].decode(), json.loads(data[6:])


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One job at a time, few that wait, and two callers besides the one who asks."""
    folder = tmp_path_factory.mktemp("narrow")
    settings = folder / "calotype.toml"
    settings.write_text(
        '[jobs]\ndirectory = "jobs"\nrunning_max = 1\nwaiting_max = 3\nwaiting_per_caller_max = 2\n'
        '[keys]\nann = "key-of-ann"\nbob = "key-of-bob"\n'
    )
    with ServerProcess("--demo", "--config", str(settings)) as process:
        until(lambda: ask(process, "GET", "/ready").status == 200, "ready")
        yield process


ANN = {"authorization": "Bearer key-of-ann"}
BOB = {"authorization": "Bearer key-of-bob"}

BODIES: list[tuple[str, dict[str, Any]]] = [
    (GENERATIONS, {"prompt": "a red fox", "n": 3, "num_inference_steps": 4, "style": "vivid", "user": "ann"}),
    (GENERATIONS, {"prompt": "a red fox", "size": "1792x1024", "output_format": "jpeg", "response_format": "b64_json"}),
    (GENERATIONS, {"prompt": "a red fox", "model": "gpt-image-1", "response_format": "url"}),
    (EDITS, {"prompt": "a red circle", "image": picture(), "num_inference_steps": 8, "strength": 0.5}),
    (VARIATIONS, {"image": picture(), "num_inference_steps": 4}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_a_jobs_result_is_what_the_route_answers(server: ServerProcess, path: str, body: dict[str, Any]) -> None:
    ended = until_ended(server, accept(server, body, path)["id"])
    assert ended["state"] == "succeeded", ended
    assert ended["progress"]["step"] == ended["progress"]["steps"]
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"] < ended["expires_at"]
    seed = ended["result"]["data"][0]["seed"]
    same = server.post(path, {**body, "seed": seed})[1]
    again = until_ended(server, accept(server, {**body, "seed": seed}, path)["id"])
    for result in (ended["result"], again["result"]):
        for one, other in zip(result["data"], same["data"], strict=True):
            assert one.keys() == other.keys()
            for item in (one, other):
                if url := item.pop("url", None):
                    with urllib.request.urlopen(url) as response:
                        item["at_url"] = response.read()
        for item in (*result["data"], *same["data"]):
            # Whoever paints the same picture again takes another time.
            del item["milliseconds"]
        assert {**result, "created": 0} == {**same, "created": 0}
        same = server.post(path, {**body, "seed": seed})[1]


def test_a_job_of_the_gateway_answers_in_its_words(server: ServerProcess) -> None:
    body = {"prompt": "a red fox", "n": 2, "seed": 7, "providerOptions": {}}
    headers = {"ai-model-id": "calotype/tintype", "x-request-id": "the-same"}
    same = ask(server, "POST", "/v4/ai/image-model", body, **headers).body
    ended = until_ended(server, accept(server, body, "/v4/ai/image-model", **headers)["id"])
    assert len(same["images"]) == 2
    assert ended["result"]["images"] == same["images"]
    assert ended["result"].keys() == same.keys()
    assert ended["result"]["warnings"] == same["warnings"]


def test_what_is_wrong_is_told_at_once(server: ServerProcess) -> None:
    for body, status, param in (
        ({"prompt": "a", "size": "banana"}, 400, "size"),
        ({"prompt": "a", "num_inference_steps": 1000}, 400, "num_inference_steps"),
        ({"prompt": "a", "image": "not base64!"}, 400, "image"),
        ({"prompt": "a", "style": "vivid", "strict": True}, 400, "style"),
        ({"prompt": "a", "model": "acme/none"}, 404, "model"),
    ):
        answer = ask(server, "POST", GENERATIONS, body, prefer="respond-async")
        assert (answer.status, answer.body["error"]["param"]) == (status, param)


def test_other_preferences_are_not_ours_and_the_name_of_ours_knows_no_case(server: ServerProcess) -> None:
    for prefer, status in (("return=minimal", 200), ("wait=60, Respond-Async", 202), ("respond-async; a=b", 202)):
        assert (
            ask(server, "POST", GENERATIONS, {"prompt": "a", "num_inference_steps": 1}, prefer=prefer).status == status
        )


def test_without_a_directory_each_job_says_that_it_ends_with_the_server(
    server: ServerProcess, narrow: ServerProcess
) -> None:
    [warning] = accept(server, {"prompt": "a fox", "num_inference_steps": 1})["warnings"]
    assert (warning["type"], warning["feature"]) == ("other", "jobs.directory")
    kept = accept(narrow, {"prompt": "a fox", "num_inference_steps": 1}, **ANN)
    assert kept["warnings"] == []
    until(lambda: job(narrow, kept["id"], **ANN)["state"] == "succeeded", "its end")


def test_a_job_shows_how_far_it_is_and_how_it_looks(server: ServerProcess) -> None:
    job_id = accept(server, {**LONG, "n": 2, "partial_images": 3})["id"]
    until(lambda: "preview" in job(server, job_id, "?preview=true"), "a preview")
    running = job(server, job_id, "?preview=true")
    if running["state"] == "running":
        assert running["progress"]["steps"] == 100
        assert 0 < running["progress"]["step"] <= 100
        preview = running["preview"]
        assert preview["image_index"] in (0, 1)
        with Image.open(io.BytesIO(base64.b64decode(preview["b64_json"]))) as image:
            assert (image.format or "").lower() == preview["output_format"]
        assert "preview" not in job(server, job_id)
    ended = until_ended(server, job_id)
    assert "partial_images" not in {warning["feature"] for warning in ended["result"]["warnings"]}
    assert pictures(ended["result"]) == pictures(server.post(GENERATIONS, {**LONG, "n": 2})[1])


def test_events_tell_the_newest_first_and_go_on_to_the_end(server: ServerProcess) -> None:
    job_id = accept(server, {**LONG, "n": 2, "partial_images": 2, "stream": True})["id"]
    told = events(server, job_id)
    first = next(told)
    assert first[0] in ("job.queued", "job.running")
    until(lambda: job(server, job_id).get("progress", {}).get("step", 0) > 20, "some steps")
    # Whoever comes later, or again, is told how it stands now.
    later = list(events(server, job_id))
    seen = [first, *told]
    for each in (seen, later):
        assert all(data["id"] == job_id for _, data in each)
        steps = [data["progress"]["step"] for _, data in each]
        assert steps == sorted(steps)
        assert each[-1][0] == "job.succeeded"
        assert each[-1][1]["result"] == job(server, job_id)["result"]
        assert all("result" not in data for _, data in each[:-1])
    assert {"job.progress", "job.preview"} <= {name for name, _ in seen}
    assert all("preview" in data for name, data in seen if name == "job.preview")
    assert later[0][1]["progress"]["step"] > 20
    [(name, data)] = events(server, job_id)
    assert (name, data["state"]) == ("job.succeeded", "succeeded")


def test_a_reader_of_events_may_leave_and_the_job_goes_on(server: ServerProcess) -> None:
    job_id = accept(server, {**LONG, "n": 1})["id"]
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", f"/v1/jobs/{job_id}/events")
    assert connection.getresponse().read(20)
    connection.close()
    assert until_ended(server, job_id)["state"] == "succeeded"


def test_a_cancelled_job_stops_within_a_step(server: ServerProcess) -> None:
    wait_until_idle(server)
    job_id = accept(server, LONG)["id"]
    until_running(server, job_id)
    cancelled = ask(server, "DELETE", f"/v1/jobs/{job_id}")
    before = engine(server)["steps_done"]
    assert (cancelled.status, cancelled.body["state"]) == (200, "cancelled")
    assert "result" not in cancelled.body
    wait_until_idle(server)
    assert engine(server)["steps_done"] - before <= STEPS_AFTER_MAX
    assert job(server, job_id)["state"] == "cancelled"
    assert [name for name, _ in events(server, job_id)] == ["job.cancelled"]
    again = ask(server, "DELETE", f"/v1/jobs/{job_id}")
    assert (again.status, again.body) == (200, cancelled.body)
    assert job(server, job_id) == cancelled.body


def test_a_failure_is_the_jobs_error(tmp_path: Path) -> None:
    environment = acme_pictures.install(tmp_path)
    with ServerProcess(environment=environment) as server:
        for name, code in (("breaks-late", "engine_error"), ("has-a-bug", "internal_error")):
            ended = until_ended(server, accept(server, {"prompt": "a", "model": f"acme/{name}"})["id"])
            assert (ended["state"], ended["error"]["code"]) == ("failed", code)
            assert "result" not in ended
            assert "a secret number" not in json.dumps(ended)
        assert [name for name, _ in events(server, ended["id"])] == ["job.failed"]
        ended = until_ended(server, accept(server, {"prompt": "a", "model": "acme/brush", "n": 3})["id"])
        assert ended["state"] == "succeeded"


def test_jobs_are_their_callers_and_wait_in_turns_within_their_bounds(narrow: ServerProcess) -> None:
    first = accept(narrow, LONG, **ANN)
    until(lambda: job(narrow, first["id"], **ANN)["state"] == "running", "the first job")
    second, third = accept(narrow, LONG, **ANN), accept(narrow, LONG, **ANN)
    refused = ask(narrow, "POST", GENERATIONS, LONG, prefer="respond-async", **ANN)
    assert (refused.status, refused.body["error"]["code"]) == (429, "model_busy")
    assert 0 < int(refused.headers["retry-after"]) < 60
    others = accept(narrow, LONG, **BOB)
    assert ask(narrow, "POST", GENERATIONS, LONG, prefer="respond-async", **BOB).status == 429
    places = [job(narrow, second["id"], **ANN), job(narrow, third["id"], **ANN), job(narrow, others["id"], **BOB)]
    # Ann has one at work: Bob is next.
    assert [place["position"] for place in places] == [1, 2, 0]
    assert places[0]["estimate_seconds"] > places[2]["estimate_seconds"] > 0
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        answer = ask(narrow, method, f"/v1/jobs/{second['id']}{path}", **BOB)
        assert (answer.status, answer.body["error"]["code"]) == (404, "job_not_found")
        assert ask(narrow, method, f"/v1/jobs/{second['id']}{path}").status == 401
    for each in (second, third, first):
        answer = ask(narrow, "DELETE", f"/v1/jobs/{each['id']}", **ANN)
        assert (answer.status, answer.body["state"]) == (200, "cancelled")
    assert ask(narrow, "DELETE", f"/v1/jobs/{others['id']}", **BOB).body["state"] == "cancelled"


@pytest.mark.parametrize("job_id", ["job_0", "..%2f..%2fjobs", "%00", "job_" + "0" * 32, "x" * 5000])
def test_an_unknown_job_is_404(server: ServerProcess, job_id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        answer = ask(server, method, f"/v1/jobs/{job_id}{path}")
        assert answer.status == 404
        assert answer.body["error"]["message"]


def test_a_full_store_is_507_and_a_job_whose_time_is_over_is_gone(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    # Room for two jobs of one picture, as their results are reckoned.
    settings.write_text(f"[jobs]\nbytes_max = {500_000}\nttl_seconds = 2")
    body = {"prompt": "a fox", "num_inference_steps": 1}
    with ServerProcess("--config", str(settings)) as server:
        refused = ask(server, "POST", GENERATIONS, {**body, "n": 10}, prefer="respond-async")
        assert (refused.status, refused.body["error"]["code"]) == (507, "storage_full")
        job_id = accept(server, body)["id"]
        ended = until_ended(server, job_id)
        assert ended["state"] == "succeeded"
        assert ended["expires_at"] - ended["finished_at"] == 2
        until(lambda: ask(server, "GET", f"/v1/jobs/{job_id}").status == 404, "the end of its time")
        assert time.time() >= ended["expires_at"]


BY_URL = {"prompt": "a fox", "num_inference_steps": 1, "response_format": "url", "seed": 7}


def opened(answer: Any) -> list[bytes]:
    """What the URLs of an answer open."""
    found = []
    for item in answer["data"]:
        with urllib.request.urlopen(item["url"], timeout=60) as response:
            found.append(response.read())
    return found


def decoded(answer: Any) -> list[bytes]:
    return [base64.b64decode(item["b64_json"]) for item in answer["data"]]


def features(answer: Any) -> list[str]:
    return [warning["feature"] for warning in answer["warnings"]]


def test_a_full_store_of_pictures_is_507_at_the_door_for_jobs_by_url_too(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("[files]\nbytes_max = 1000\n")
    with ServerProcess("--config", str(settings)) as server:
        server.wait_ready()
        refused = ask(server, "POST", GENERATIONS, BY_URL, prefer="respond-async")
        same = ask(server, "POST", GENERATIONS, BY_URL)
        assert (refused.status, refused.body["error"]) == (507, same.body["error"])
        ended = until_ended(server, accept(server, {**BY_URL, "response_format": None})["id"])
        assert features(ended["result"]) == ["url"]
        assert "url" not in ended["result"]["data"][0]


def test_jobs_by_url_that_find_no_room_at_their_turn_give_base64(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    # Room for one picture as it is reckoned, which is what the door asks for.
    settings.write_text("[files]\nbytes_max = 140_000\n[jobs]\nrunning_max = 1\n")
    with ServerProcess("--config", str(settings), environment=acme_pictures.install(tmp_path)) as server:
        # While it is painted, all that come are accepted, and nothing is in the store.
        accept(server, {"prompt": "a", "model": "acme/slower", "response_format": "b64_json"})
        ids = [accept(server, BY_URL)["id"] for _ in range(3)]
        by_url, *in_base64 = [until_ended(server, job_id)["result"] for job_id in ids]
        assert all(features(answer) == ["url"] for answer in in_base64)
        assert [decoded(answer) for answer in in_base64] == [opened(by_url)] * 2


def test_a_jobs_pictures_are_there_when_their_urls_are_over(tmp_path: Path) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text("[files]\nttl_seconds = 4\n")
    with ServerProcess("--config", str(settings)) as server:
        server.wait_ready()
        job_id = accept(server, {**BY_URL, "n": 2})["id"]
        result = until_ended(server, job_id)["result"]
        assert result["data"][0].keys() & {"url", "b64_json"} == {"url"}
        painted = opened(result)
        until(lambda: "b64_json" in job(server, job_id)["result"]["data"][0], "the end of the URLs' time")
        later = job(server, job_id)["result"]
        assert decoded(later) == painted
        assert features(later) == ["url"]
        assert [(name, data["result"]) for name, data in events(server, job_id)] == [("job.succeeded", later)]


@pytest.mark.parametrize("lasting", [True, False])
def test_a_jobs_pictures_are_there_after_a_restart(tmp_path: Path, lasting: bool) -> None:
    settings = tmp_path / "calotype.toml"
    settings.write_text('[jobs]\ndirectory = "jobs"\n' + ('[files]\ndirectory = "pictures"\n' if lasting else ""))
    with ServerProcess("--config", str(settings)) as server:
        job_id = accept(server, BY_URL)["id"]
        before = until_ended(server, job_id)["result"]
        painted = opened(before)
        assert any("files.directory is not set" in line for line in server.stderr) != lasting
    port = urlsplit(server.url).port
    with ServerProcess("--config", str(settings), "--port", str(port)) as server:
        after = job(server, job_id)["result"]
        assert (opened(after) if lasting else decoded(after)) == painted
        assert (after == before) == lasting


def test_where_the_address_is_known_jobs_last_by_themselves(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    body = {"prompt": "a fox", "num_inference_steps": 1}
    # An address that was free a moment ago.
    with ServerProcess(environment=environment) as server:
        assert any("jobs.directory is not set" in line for line in server.stderr)
        [warning] = accept(server, body)["warnings"]
        assert warning["feature"] == "jobs.directory"
        port = urlsplit(server.url).port
    assert list(tmp_path.iterdir()) == []
    with ServerProcess("--port", str(port), environment=environment) as server:
        accepted = accept(server, body)
        assert accepted["warnings"] == []
        ended = until_ended(server, accepted["id"])
        server.process.kill()
        server.process.wait(60)
    [directory] = (tmp_path / "calotype").iterdir()
    assert directory.name == f"jobs-127.0.0.1-{port}"
    with ServerProcess("--port", str(port), environment=environment) as server:
        assert job(server, ended["id"]) == ended
    (tmp_path / "calotype.toml").write_text("[jobs]\nlasting = false\n")
    arguments = ("--port", str(port), "--config", str(tmp_path / "calotype.toml"))
    with ServerProcess(*arguments, environment=environment) as server:
        assert ask(server, "GET", f"/v1/jobs/{ended['id']}").status == 404
    # One that cannot be used, and that nobody has asked for, keeps no server from starting.
    (directory / "jobs.sqlite3").write_bytes(b"no database" * 1000)
    with ServerProcess("--port", str(port), environment=environment) as server:
        assert any("jobs are not kept" in line for line in server.stderr)
        assert [warning["feature"] for warning in accept(server, body)["warnings"]] == ["jobs.directory"]


def test_a_repeat_with_its_key_is_told_of_the_same_job(server: ServerProcess) -> None:
    body = {"prompt": "a fox", "num_inference_steps": 1}
    first = accept(server, body, idempotency_key="once")
    assert accept(server, body, idempotency_key="once")["id"] == first["id"]
    assert accept(server, body, idempotency_key="twice")["id"] != first["id"]
    assert accept(server, body)["id"] != accept(server, body)["id"]
    seeded = {**body, "seed": 7}
    assert accept(server, seeded)["id"] != accept(server, seeded)["id"]


def settings_in(folder: Path) -> str:
    settings = folder / "calotype.toml"
    settings.write_text('[jobs]\ndirectory = "jobs"\n')
    return str(settings)


def test_a_killed_server_loses_no_job_and_paints_none_twice(tmp_path: Path) -> None:
    steps, count = 25, 12
    bodies: list[dict[str, Any]] = [
        {"prompt": f"a fox {k}", "num_inference_steps": steps, **({"seed": 100 * k} if k % 2 else {})}
        for k in range(count)
    ]
    bodies[2] |= {"image": picture(), "strength": 1.0}
    with ServerProcess("--config", settings_in(tmp_path)) as server:
        server.wait_ready()
        ids = [accept(server, body)["id"] for body in bodies]
        until(lambda: sum(job(server, job_id)["state"] in ENDED for job_id in ids) >= 3, "three jobs")
        server.process.kill()
        server.process.wait(60)
    with ServerProcess("--config", settings_in(tmp_path)) as server:
        states = [job(server, job_id) for job_id in ids]
        done = {state["id"]: state for state in states if state["state"] in ENDED}
        assert 3 <= len(done) < count
        assert {state["state"] for state in states} <= {"queued", "running", "succeeded"}
        ended = [until_ended(server, job_id) for job_id in ids]
        assert [state["state"] for state in ended] == ["succeeded"] * count
        # What had ended was not painted again, and the others once.
        warm_up = 2
        assert engine(server)["steps_done"] - (count - len(done)) * steps in (0, warm_up)
        for before in done.values():
            assert job(server, before["id"]) == before
        for body, state in zip(bodies, ended, strict=True):
            seed = state["result"]["data"][0]["seed"]
            assert seed == body.get("seed", seed)
            undisturbed = server.post(GENERATIONS, {**body, "seed": seed})[1]
            assert pictures(state["result"]) == pictures(undisturbed)
        assert len({state["result"]["data"][0]["seed"] for state in ended}) == count


def test_a_stopped_server_takes_its_jobs_up_again(tmp_path: Path) -> None:
    shorter = {**LONG, "n": 3}
    with ServerProcess("--config", settings_in(tmp_path)) as server:
        server.wait_ready()
        job_id = accept(server, shorter)["id"]
        until_running(server, job_id)
        cancelled = accept(server, LONG)["id"]
        ask(server, "DELETE", f"/v1/jobs/{cancelled}")
    assert "Traceback" not in "".join(server.stderr)
    with ServerProcess("--config", settings_in(tmp_path)) as server:
        assert job(server, job_id)["state"] in ("queued", "running")
        assert job(server, cancelled)["state"] == "cancelled"
        ended = until_ended(server, job_id)
        assert pictures(ended["result"]) == pictures(server.post(GENERATIONS, shorter)[1])


def test_a_directory_that_another_server_uses_is_refused_in_one_line(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with ServerProcess("--config", settings):
        command = [sys.executable, "-m", "calotype_runtime", "serve", "--port", "0", "--config", settings]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert second.stderr.startswith("calotype: jobs.directory")
    assert "another server uses it" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_job_with_a_key_is_one_whenever_its_first_caller_leaves(server: ServerProcess) -> None:
    """Some of them while it is being stored, which nobody can see from here: so many leave, each a little later."""
    noise = Image.frombytes("RGB", (1000, 1000), os.urandom(3_000_000))
    file = io.BytesIO()
    noise.save(file, "PNG")
    wish = {"num_inference_steps": 1, "strength": 1, "image": base64.b64encode(file.getvalue()).decode()}
    began = time.monotonic()
    assert server.post(GENERATIONS, {"prompt": "a fox", **wish}, prefer="respond-async")[0] == 202
    seconds = time.monotonic() - began
    count = 30
    first = engine_is_idle(server)
    for number in range(count):
        body = {"prompt": f"fox {number}", **wish}
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        headers = {"prefer": "respond-async", "idempotency-key": f"leaving-{number}"}
        typed = {"content-type": "application/json", **headers}
        connection.request("POST", GENERATIONS, json.dumps(body), typed)
        time.sleep(seconds * number / count)
        connection.close()
        assert server.post(GENERATIONS, body, **headers)[0] == 202
    assert engine_is_idle(server) - first == count


def engine_is_idle(server: ServerProcess) -> int:
    """Waits until all jobs are done; how many pictures have been painted."""
    painted = -1

    def is_idle() -> bool:
        nonlocal painted
        before, painted = painted, server.get("/v1/engine")[1]["painted"]
        time.sleep(0.5)
        state = server.get("/v1/engine")[1]
        return bool(before == painted == state["painted"] and state["running"] == state["waiting"] == 0)

    until(is_idle, "an idle engine")
    return painted
