"""The three models in the box, through the door: what each takes, refuses and says. Not how well they paint."""

import base64
import io
from typing import Any

import pytest
from form_bodies import CONTENT_TYPE, form, part, text
from PIL import Image, ImageDraw
from server_process import ServerProcess, until

from calotype_provider.catalog import EMBEDDED, TINTYPE_CANNY_ID, TINTYPE_ID, TINTYPE_KONTEXT_ID

EDITS = "/v1/images/edits"
GENERATIONS = "/v1/images/generations"


def png(width: int, height: int, colour: str = "red", kind: str = "RGB") -> bytes:
    data = io.BytesIO()
    image = Image.new(kind, (width, height), colour)
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, width // 2, height // 2), "white")
    image.save(data, "PNG")
    return data.getvalue()


def in_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def painted(answer: dict[str, Any]) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"])))
    image.load()
    return image


def warned(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(warning["type"], warning["feature"]) for warning in answer["warnings"]]


def edit(server: ServerProcess, image: bytes, **fields: str) -> tuple[int, Any]:
    asked = {"model": TINTYPE_KONTEXT_ID, "prompt": "make the background blue", "steps": "2", "seed": "7", **fields}
    parts = (text(name, value) for name, value in asked.items())
    return server.post(EDITS, form(*parts, part("image", image, filename="a.png")), content_type=CONTENT_TYPE)


def led(server: ServerProcess, **fields: object) -> tuple[int, Any]:
    asked = {"model": TINTYPE_CANNY_ID, "prompt": "a fox", "steps": 2, "seed": 7, **fields}
    return server.post(GENERATIONS, asked)


def test_all_three_are_listed_with_what_they_can_do(server: ServerProcess) -> None:
    listed = server.get("/v1/models")[1]["data"][: len(EMBEDDED)]
    cards = {model["id"]: model["calotype"] for model in listed}
    assert list(cards) == [TINTYPE_ID, TINTYPE_KONTEXT_ID, TINTYPE_CANNY_ID]
    tintype, kontext, canny = cards.values()
    assert tintype["sizes"] == kontext["sizes"] == canny["sizes"]
    assert (tintype["images_max"], "strength" in tintype, "references_fit" in tintype) == (1, True, False)
    assert (kontext["images_max"], "strength" in kontext, kontext["references_fit"]) == (1, False, True)
    assert (kontext["mask"], "requires" in kontext) == (True, False)
    assert (canny["control_image"], canny["requires"], "images_max" in canny) == (True, ["control_image"], False)
    assert "negative_prompt" not in canny


def test_all_three_are_loaded_and_what_they_share_is_counted_once(server: ServerProcess) -> None:
    until(lambda: server.get("/v1/engine")[1]["state"] == "ready", "the models that `/ready` does not wait for")
    models = {model["model_id"]: model for model in server.get("/v1/engine")[1]["models"]}
    tintype, kontext, canny = (models[model_id]["resident_bytes"] for model_id in EMBEDDED)
    assert (kontext, 0 < canny < tintype) == (0, True)
    assert len({model["revision"] for model in models.values()}) == 3


def test_an_edit_has_the_size_of_its_picture_and_repeats_with_its_seed(server: ServerProcess) -> None:
    image = png(144, 112)
    status, answer = edit(server, image)
    assert (status, answer["model"], answer["warnings"]) == (200, TINTYPE_KONTEXT_ID, [])
    assert painted(answer).size == (144, 112)
    assert answer["usage"]["input_tokens_details"]["image_tokens"] == 9 * 7
    # With a user of its own it is another request, and painted again.
    again = edit(server, image, user="again")[1]
    assert painted(again).tobytes() == painted(answer).tobytes()
    another = edit(server, png(144, 112, "green"))[1]
    assert painted(another).tobytes() != painted(answer).tobytes()


def test_an_edit_by_json_is_the_edit_by_form(server: ServerProcess) -> None:
    image = png(128, 128)
    fields = {"model": TINTYPE_KONTEXT_ID, "prompt": "make the background blue", "steps": 2, "seed": 7}
    status, answer = server.post(EDITS, {**fields, "image": in_text(image)})
    assert (status, answer["warnings"]) == (200, [])
    assert painted(answer).tobytes() == painted(edit(server, image)[1]).tobytes()


def test_a_picture_of_another_shape_is_cut_before_it_is_edited_and_that_is_told(server: ServerProcess) -> None:
    status, answer = edit(server, png(200, 100))
    assert (status, painted(answer).size) == (200, (176, 96))
    [warning] = answer["warnings"]
    assert (warning["type"], warning["feature"]) == ("compatibility", "images")
    assert "200x100 was cropped to the shape of the picture, 176x96" in warning["details"]
    status, refused = edit(server, png(200, 100), strict="true")
    assert (status, refused["error"]["param"]) == (400, "image")


def test_a_large_picture_of_a_shape_that_is_painted_is_edited_in_silence(server: ServerProcess) -> None:
    status, answer = edit(server, png(1024, 1024))
    assert (status, painted(answer).size, answer["warnings"]) == (200, (128, 128), [])


def test_an_edit_with_a_mask_leaves_the_rest(server: ServerProcess) -> None:
    image, mask = Image.new("RGB", (128, 128), "red"), Image.new("RGBA", (128, 128), "black")
    mask.paste((0, 0, 0, 0), (0, 0, 64, 128))
    files = [io.BytesIO(), io.BytesIO()]
    for picture, file in zip((image, mask), files, strict=True):
        picture.save(file, "PNG")
    fields = {"model": TINTYPE_KONTEXT_ID, "prompt": "a blue car", "steps": 2, "seed": 7}
    body = {**fields, "image": in_text(files[0].getvalue()), "mask": in_text(files[1].getvalue())}
    status, answer = server.post(EDITS, body)
    assert (status, answer["warnings"]) == (200, [])
    right = painted(answer).convert("RGB").crop((80, 0, 128, 128))
    assert right.getcolors() == [(48 * 128, (255, 0, 0))]


def test_what_edits_paints_from_words_alone_too(server: ServerProcess) -> None:
    status, answer = server.paint(model=TINTYPE_KONTEXT_ID)
    assert (status, answer["model"], answer["warnings"]) == (200, TINTYPE_KONTEXT_ID, [])


def test_what_follows_edges_paints_only_with_them(server: ServerProcess) -> None:
    status, refused = led(server)
    assert (status, refused["error"]["param"]) == (400, "control_image")
    status, answer = led(server, control_image=in_text(png(112, 144, "black")))
    assert (status, answer["model"], answer["warnings"]) == (200, TINTYPE_CANNY_ID, [])
    assert painted(answer).size == (112, 144)
    status, camel = led(server, controlImage=in_text(png(112, 144, "black")), user="again")
    assert painted(camel).tobytes() == painted(answer).tobytes()
    status, answer = led(server, control_image=in_text(png(200, 100, "black")))
    assert (status, warned(answer)) == (200, [("compatibility", "control_image")])


def test_what_follows_edges_takes_no_other_picture_and_no_negative_prompt(server: ServerProcess) -> None:
    edges = in_text(png(128, 128, "black"))
    status, refused = led(server, control_image=edges, image=edges)
    assert (status, refused["error"]["param"]) == (400, "image")
    status, answer = led(server, control_image=edges, negative_prompt="ugly")
    assert (status, warned(answer)) == (200, [("unsupported", "negative_prompt")])


def test_the_sdk_is_given_an_edit_and_a_picture_of_edges(server: ServerProcess) -> None:
    edges = in_text(png(128, 128, "black"))
    few = {"numInferenceSteps": 2}
    for model_id, body in (
        (TINTYPE_KONTEXT_ID, {"files": [{"type": "file", "mediaType": "image/png", "data": edges}]}),
        (TINTYPE_CANNY_ID, {"providerOptions": {"calotype": {**few, "controlImage": edges}}}),
    ):
        asked = {"prompt": "a fox", "n": 1, "providerOptions": {"calotype": few}, **body}
        status, answer = server.post("/v4/ai/image-model", asked, ai_model_id=model_id)
        assert (status, len(answer["images"]), answer["warnings"]) == (200, 1, []), answer


@pytest.mark.parametrize(
    ("model_id", "painter"),
    [
        ("black-forest-labs/FLUX.1-kontext-pro", TINTYPE_KONTEXT_ID),
        ("black-forest-labs/flux.1-kontext-MAX", TINTYPE_KONTEXT_ID),
        ("black-forest-labs/FLUX.1-dev", TINTYPE_ID),
    ],
)
def test_in_the_demo_what_edits_stands_in_for_what_edits(server: ServerProcess, model_id: str, painter: str) -> None:
    status, answer = edit(server, png(128, 128), model=model_id)
    assert (status, answer["model"]) == (200, painter)
    assert warned(answer) == [("compatibility", "model")]
