from __future__ import annotations

import subprocess
import sys


def test_the_server_side_imports_no_torch_and_no_picture_library() -> None:
    script = (
        "import sys, calotype_provider.local.local_provider, calotype_provider.local.subprocess_engine\n"
        "print({'torch', 'diffusers', 'transformers', 'numpy', 'PIL'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"
