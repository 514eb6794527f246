#!/usr/bin/env python3
"""What others take to read the same rows: `peers.py FILE` prints MB/s of CPU time, as JSON.

CEREBROS_BENCH_VENV names a virtual environment with pydantic, msgspec and datasets; it is made when it is absent.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import venv

PACKAGES = ["pydantic", "msgspec", "datasets"]


def python() -> str:
    directory = pathlib.Path(os.environ.get("CEREBROS_BENCH_VENV", "~/.cache/cerebros/bench-validate-venv")).expanduser()
    program = directory / "bin" / "python"
    if not program.exists():
        venv.create(directory, with_pip=True)
        subprocess.check_call([program, "-m", "pip", "install", "--quiet", *PACKAGES], stdout=sys.stderr)
    return str(program)


def read_pydantic(path: str) -> int:
    from typing import Literal

    from pydantic import BaseModel

    class Message(BaseModel):
        role: Literal["system", "developer", "user", "assistant", "tool"]
        content: str | None = None
        weight: Literal[0, 1] | None = None

    class Row(BaseModel):
        messages: list[Message]

    with open(path, "rb") as file:
        return sum(1 for line in file if Row.model_validate_json(line))


def read_msgspec(path: str) -> int:
    from typing import Literal

    import msgspec

    class Message(msgspec.Struct):
        role: Literal["system", "developer", "user", "assistant", "tool"]
        content: str | None = None
        weight: Literal[0, 1] | None = None

    class Row(msgspec.Struct):
        messages: list[Message]

    decoder = msgspec.json.Decoder(Row)
    with open(path, "rb") as file:
        return sum(1 for line in file if decoder.decode(line))


def read_datasets(path: str) -> int:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        return datasets.load_dataset("json", data_files=path, split="train", cache_dir=cache).num_rows


def main() -> None:
    if len(sys.argv) == 2:
        program = python()
        figures = {}
        for peer in PACKAGES:
            figures[peer] = json.loads(subprocess.check_output([program, __file__, sys.argv[1], peer], stderr=subprocess.DEVNULL))
        return print(json.dumps(figures))
    path, peer = sys.argv[1:]
    __import__(peer)
    before = time.process_time()
    rows = globals()[f"read_{peer}"](path)
    print(json.dumps({"rows": rows, "speed": os.path.getsize(path) / 1e6 / (time.process_time() - before)}))


if __name__ == "__main__":
    main()
