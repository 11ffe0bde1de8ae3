"""Pictures from pictures: edits and variations, by form and by JSON, in every way that clients send a picture."""

import base64
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import acme_pictures
import openai
import pytest
from form_bodies import CONTENT_TYPE, form, part, text, texts
from PIL import Image
from server_process import ServerProcess

EDITS = "/v1/images/edits"
GENERATIONS = "/v1/images/generations"
VARIATIONS = "/v1/images/variations"

RED = (200, 40, 40)


def png(size: tuple[int, int] = (128, 128), colour: tuple[int, ...] = RED, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(data, kind)
    return data.getvalue()


def mask_of_the_left_half() -> bytes:
    """Transparent, so to be painted anew, in its left half."""
    mask = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 64, 128))
    data = io.BytesIO()
    mask.save(data, "PNG")
    return data.getvalue()


def painted(b64_json: str | None) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(b64_json or "")))
    image.load()
    return image.convert("RGB")


def warned(answer: dict[str, Any]) -> list[str]:
    return [warning["feature"] for warning in answer["warnings"]]


def edit(server: ServerProcess, *parts: bytes, path: str = EDITS, **headers: str) -> tuple[int, Any]:
    """A quick edit by form."""
    given = b"".join(parts)
    prompt = () if path == VARIATIONS or b'name="prompt"' in given else (text("prompt", "a red fox"),)
    steps = () if b'name="steps"' in given else (text("steps", "4"),)
    return server.post(path, form(*prompt, *steps, *parts), content_type=CONTENT_TYPE, **headers)


@pytest.fixture
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("acme")
    settings = folder / "calotype.toml"
    settings.write_text('[pictures]\nprivate_hosts = ["127.0.0.1"]')
    with ServerProcess("--config", str(settings), environment=acme_pictures.install(folder)) as process:
        yield process


def test_openai_edits_one_image_and_the_answer_has_its_shape(client: openai.OpenAI) -> None:
    result = client.images.edit(
        model="calotype/tintype",
        prompt="a red fox on a blue background",
        image=("fox.png", png((176, 96))),
        extra_body={"seed": 7, "steps": 4},
    )
    assert result.data
    assert result.size == "176x96"
    assert painted(result.data[0].b64_json).size == (176, 96)
    assert (result.data[0].model_extra or {})["seed"] == 7
    assert result.usage
    assert result.usage.input_tokens_details.image_tokens > 0
    assert result.usage.input_tokens_details.text_tokens > 0
    assert result.usage.total_tokens == result.usage.input_tokens + result.usage.output_tokens


def test_openai_edits_with_a_mask_and_the_rest_stays(client: openai.OpenAI) -> None:
    result = client.images.edit(
        model="calotype/tintype",
        prompt="a blue car",
        image=png(),
        mask=mask_of_the_left_half(),
        extra_body={"seed": "7"},
    )
    assert result.data
    image = painted(result.data[0].b64_json)
    assert {image.getpixel((x, y)) for x in range(80, 128, 4) for y in range(0, 128, 4)} == {RED}
    assert len({image.getpixel((x, y)) for x in range(0, 48, 4) for y in range(0, 128, 4)}) > 1


def test_openai_edits_three_images_where_a_model_takes_them(acme: ServerProcess, server: ServerProcess) -> None:
    images = [(f"{side}.png", png((side, side))) for side in (48, 16, 32)]
    with openai.OpenAI(base_url=f"{acme.url}/v1", api_key="unused", max_retries=0) as client:
        result = client.images.edit(model="acme/brush", prompt="a fox", image=images)
        assert (result.model_extra or {})["warnings"][-1]["details"] == "48x48 16x16 32x32"
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.edit(model="calotype/tintype", prompt="a fox", image=images)
        assert caught.value.param == "image"
        assert "got 3" in caught.value.message


def test_openai_varies_an_image(client: openai.OpenAI) -> None:
    # The client says that OpenAI's own server has no variations any more.
    with pytest.warns(DeprecationWarning, match="deprecated"):
        result = client.images.create_variation(image=png(), n=2, size="256x256", model="calotype/tintype")
    assert result.data
    first, second = (painted(item.b64_json) for item in result.data)
    assert first.tobytes() != second.tobytes()
    assert result.size == "128x128"


def test_openai_is_told_what_is_wrong_with_an_edit(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model="calotype/tintype", prompt="a fox", image=b"not a picture")
    assert caught.value.param == "image"
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model="calotype/tintype", prompt="a fox", image=png(), mask=png((64, 128), (0, 0, 0, 0)))
    assert caught.value.param == "mask"


def test_numbered_images_are_in_the_order_of_their_numbers(acme: ServerProcess) -> None:
    parts = [part(f"image[{k}]", png((16 + k, 16)), filename="blob") for k in (10, 2, 0, 1)]
    status, answer = edit(acme, text("model", "acme/brush"), *parts)
    assert status == 200
    assert answer["warnings"][-1]["details"] == "16x16 17x16 18x16 26x16"


def test_sixteen_images_are_taken_and_no_more(acme: ServerProcess) -> None:
    parts = [part("image[]", png((16, 16)), filename="blob") for _ in range(17)]
    assert edit(acme, text("model", "acme/brush"), *parts[:16])[0] == 200
    status, answer = edit(acme, text("model", "acme/brush"), *parts)
    assert (status, answer["error"]["param"]) == (400, "image")


@pytest.mark.parametrize(
    "image",
    [
        part("image", png(), filename="blob", kind="image/png"),
        part("image[]", png(), filename="image.png", kind="image/png"),
        part("image[0]", png(), filename="blob"),
        part("image", png(), filename="fox.webp", kind="image/webp"),
        part("image", png(kind="JPEG"), filename="fox.png", kind="image/png"),
        part("image", png(kind="WEBP"), filename="fox", kind="application/octet-stream"),
        part("image", png(), kind="image/png"),
        part("image", png()),
        part("image", png(), filename="fox.txt", kind="text/plain"),
        text("image", base64.b64encode(png()).decode()),
        text("image", "data:image/png;base64," + base64.b64encode(png()).decode()),
        part("input_image", png(), filename="blob"),
        part("images[]", png(), filename="blob"),
    ],
    ids=lambda image: repr(image[:120]),
)
def test_a_picture_is_read_however_it_is_sent(server: ServerProcess, image: bytes) -> None:
    status, answer = edit(server, image, text("seed", "7"))
    assert status == 200, answer
    assert answer["warnings"] == []


@pytest.mark.parametrize(
    "image",
    [
        base64.b64encode(png()).decode(),
        base64.urlsafe_b64encode(png()).decode().rstrip("="),
        base64.encodebytes(png()).decode(),
        "data:image/jpeg;base64," + base64.b64encode(png()).decode(),
        [base64.b64encode(png()).decode()],
        {"url": "data:image/png;base64," + base64.b64encode(png()).decode(), "type": "image_url"},
        [{"image_url": "data:image/png;base64," + base64.b64encode(png()).decode()}],
    ],
    ids=lambda image: repr(image)[:60],
)
def test_an_edit_by_json_is_the_edit_by_form(server: ServerProcess, image: object) -> None:
    body = {"prompt": "a red fox", "steps": 4, "seed": 7, "image": image}
    status, answer = server.post(EDITS, body)
    assert (status, answer["warnings"]) == (200, [])
    _, by_form = edit(server, part("image", png(), filename="blob"), text("seed", "7"))
    assert answer["data"][0]["b64_json"] == by_form["data"][0]["b64_json"]


def test_a_forms_values_are_texts(server: ServerProcess) -> None:
    fields = {"n": "2", "strength": "0.5", "guidance": "2", "stream": "false", "size": "null", "seed": "7",
              "mask": "null", "response_format": "url", "user": "null"}  # fmt: skip
    status, answer = edit(server, part("image", png(), filename="blob"), *texts(fields))
    assert status == 200, answer
    assert ["url" in item and "b64_json" not in item for item in answer["data"]] == [True] * 2
    assert answer["warnings"] == []


@pytest.mark.parametrize(
    ("parts", "parameter"),
    [
        ([], "image"),
        ([text("image", "null")], "image"),
        ([part("image", b"", filename="")], "image"),
        ([text("image", "/etc/passwd")], "image"),
        ([text("image", "file:///etc/passwd")], "image"),
        ([text("image", "http://127.0.0.1:1/fox.png")], "image"),
        ([text("image", "fox.png")], "image"),
        ([part("image", b"GIF89a" + b"\xff" * 40, filename="fox.png")], "image"),
        ([part("image", png()[:200], filename="fox.png")], "image"),
        ([part("image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", filename="fox.svg")], "image"),
        ([part("image", png(), filename="a"), part("mask", png((64, 128), (0, 0, 0, 0)), filename="m")], "mask"),
        ([part("image", png(), filename="a"), part("control_image", png(), filename="c")], "control_image"),
        ([part("image", png(), filename="a"), text("strength", "1.5")], "strength"),
        ([part("image", png(), filename="a"), text("strength", "strong")], "strength"),
        ([part("image", png(), filename="a"), text("n", "11")], "n"),
        ([part("image", png(), filename="a"), text("partial_images", "4")], "partial_images"),
        ([part("image", png(), filename="a"), text("output_format", "svg")], "output_format"),
        ([part("image", png(), filename="a"), part("prompt", b"a fox", filename="p.txt")], "prompt"),
        ([part("image", png(), filename="a"), text("prompt", "a"), text("prompt", "b")], "prompt"),
    ],
)
def test_what_is_wrong_with_an_edit_is_named(server: ServerProcess, parts: list[bytes], parameter: str) -> None:
    status, answer = edit(server, *parts)
    assert (status, answer["error"]["param"]) == (400, parameter), answer
    assert "passwd" not in answer["error"]["message"] or "not opened" in answer["error"]["message"]


def test_an_edit_needs_a_prompt(server: ServerProcess) -> None:
    status, answer = server.post(EDITS, {"image": base64.b64encode(png()).decode()})
    assert (status, answer["error"]["param"]) == (400, "prompt")


@pytest.mark.parametrize("by_form", [True, False])
def test_a_variation_has_no_words(server: ServerProcess, by_form: bool) -> None:
    if by_form:
        status, answer = edit(server, part("image", png(), filename="blob"), text("seed", "7"), path=VARIATIONS)
    else:
        body = {"image": base64.b64encode(png()).decode(), "steps": 4, "seed": 7}
        status, answer = server.post(VARIATIONS, body)
    assert (status, answer["warnings"], answer["data"][0]["seed"]) == (200, [], 7)


def test_a_variation_is_of_one_image(server: ServerProcess, acme: ServerProcess) -> None:
    two = [part("image[]", png(), filename="blob")] * 2
    for images in ([], two):
        status, answer = edit(server, *images, path=VARIATIONS)
        assert (status, answer["error"]["param"]) == (400, "image")
    # A model that edits by instruction has nothing to go by.
    status, answer = edit(acme, text("model", "acme/brush"), two[0], path=VARIATIONS)
    assert (status, answer["error"]["param"]) == (400, "prompt")


def test_words_for_a_variation_are_warned_about(server: ServerProcess) -> None:
    image = part("image", png(), filename="blob")
    assert warned(edit(server, image, text("prompt", "a fox"), path=VARIATIONS)[1]) == ["prompt"]


def test_generations_start_from_an_image_as_far_as_is_asked(server: ServerProcess) -> None:
    body = {"prompt": "a blue car", "steps": 20, "seed": 7, "image": base64.b64encode(png()).decode()}
    distances = []
    for strength in (0.1, 0.9):
        status, answer = server.post(GENERATIONS, {**body, "prompt_strength": strength})
        assert (status, answer["warnings"]) == (200, [])
        colour = painted(answer["data"][0]["b64_json"]).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert isinstance(colour, tuple)
        distances.append(sum(abs(a - b) for a, b in zip(colour, RED, strict=True)))
    assert distances[0] < distances[1]


def test_input_images_are_images(server: ServerProcess, acme: ServerProcess) -> None:
    image = base64.b64encode(png((32, 32))).decode()
    answer = acme.post(GENERATIONS, {"prompt": "a", "model": "acme/brush", "input_images": [image] * 8})[1]
    assert answer["warnings"][-1]["details"] == " ".join(["32x32"] * 8)
    for count, server_ in ((9, acme), (2, server)):
        model = "acme/brush" if server_ is acme else "calotype/tintype"
        body = {"prompt": "a", "model": model, "input_images": [image] * count}
        status, refused = server_.post(GENERATIONS, body)
        assert (status, refused["error"]["param"]) == (400, "input_images" if server_ is acme else "image")


def test_a_picture_is_fetched_once_the_rest_of_the_call_is_known_to_be_good(acme: ServerProcess) -> None:
    class Host(BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png((48, 32)))

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Host) as host:
        threading.Thread(target=host.serve_forever).start()
        body = {"prompt": "a", "model": "acme/brush", "image": f"http://127.0.0.1:{host.server_port}/fox.png"}
        for fields in ({"n": 11}, {"control_image": "aGk="}, {"strict": True, "strength": 0.5}, {"model": "acme/no"}):
            assert acme.post(EDITS, {**body, **fields})[0] in (400, 404)
        assert Host.asked == []
        status, answer = acme.post(EDITS, body)
        host.shutdown()
    assert (status, Host.asked) == (200, ["/fox.png"])
    assert answer["warnings"][-1]["details"] == "48x32"


def test_a_strict_edit_is_done_to_the_letter_or_refused(server: ServerProcess) -> None:
    image = part("image", png(), filename="blob")
    assert edit(server, image, text("strict", "true"))[0] == 200
    assert edit(server, image, x_calotype_strict="true")[0] == 200
    # Its middle would be painted: that is known when the picture has been looked at.
    for fields in ({"size": "176x96"}, {"style": "vivid"}, {"sampler": "euler"}, {"quality": "max"}):
        assert edit(server, image, *texts(fields))[0] == 200
        for status, answer in (
            edit(server, image, text("strict", "true"), *texts(fields)),
            edit(server, image, *texts(fields), x_calotype_strict="true"),
        ):
            named = "image" if "size" in fields else next(iter(fields))
            assert (status, answer["error"]["param"]) == (400, named)
            assert "strict" in answer["error"]["message"]


def test_what_strict_means_must_be_clear(server: ServerProcess) -> None:
    status, answer = edit(server, part("image", png(), filename="blob"), x_calotype_strict="perhaps")
    assert (status, answer["error"]["param"]) == (400, "X-Calotype-Strict")


def test_fields_that_only_openai_has_are_accepted_and_warned_about(server: ServerProcess) -> None:
    fields = {"input_fidelity": "high", "moderation": "low", "complexity": "low", "frame_count": "4",
              "frame_duration_ms": "100", "svg[model]": "gpt-5", "background": "transparent", "user": "ada",
              "safety_identifier": "ada"}  # fmt: skip
    parts = (part("image", png(), filename="blob"), part("markup", png(), filename="blob"), *texts(fields))
    status, answer = edit(server, *parts)
    assert (status, answer["background"]) == (200, "opaque")
    assert set(warned(answer)) == {"input_fidelity", "moderation", "complexity", "frame_count", "frame_duration_ms",
                                   "svg", "markup", "background"}  # fmt: skip


def test_the_server_has_no_traceback_to_show(server: ServerProcess, acme: ServerProcess) -> None:
    assert not [line for line in (*server.stderr, *acme.stderr) if "Traceback" in line]
