"""One call of litellm, told by its arguments; what came of it is printed as one line of JSON.

python litellm_images.py BASE_URL image_generation '{"prompt": "..."}'   File fields are names of files.
"""

import json
import sys
from pathlib import Path

import litellm
import openai

base_url, method, text = sys.argv[1:]
body = json.loads(text)
for name in ("image", "mask"):
    if isinstance(body.get(name), list):
        body[name] = [Path(path).open("rb") for path in body[name]]
    elif name in body:
        body[name] = Path(body[name]).open("rb")
try:
    result = getattr(litellm, method)(model="openai/calotype/tintype", api_base=base_url, api_key="unused", **body)
    print(json.dumps({"result": result.model_dump()}))
except openai.APIStatusError as error:  # All of litellm's own are kinds of it.
    print(json.dumps({"error": {"class": type(error).__name__, "status": error.status_code, "message": str(error)}}))
