#!/usr/bin/env python3
"""How reading documents hurts other requests.

    benches/ingest_load.py PATH/TO/cerebros [RUNS]

The server and its children have one core and this program another. Each run measures GET /api/v1/agents quiet and then
while long documents are read one after the other; the figures are medians over the runs.
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

from login import Server, measure, p

QUIET_S = 10
BUSY_S = 20


def text_of(number: int, kind: str) -> bytes:
    """Some megabytes that no other document holds."""
    lines = [f"{number};Person {row};City {row % 97};{row}.50" for row in range(60_000)]
    if kind == "csv":
        return ("id;name;city;amount\n" + "\n".join(lines)).encode()
    return "\n\n".join(f"## Part {row}\n\n{line} and some words about it that go on." for row, line in enumerate(lines)).encode()


class Reader(threading.Thread):
    """Uploads documents, one after the other is read, until it is told to stop."""

    def __init__(self, server: Server, first: int):
        super().__init__()
        self.server, self.number, self.first = server, first, first
        self.agent = None
        self.ended = threading.Event()

    def ask(self, method: str, path: str, body=None, headers=()) -> dict:
        connection = self.server.connect()
        connection.request(method, f"/api/v1{path}", body, {"cookie": self.server.cookie, **dict(headers)})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (answer.status, text)
        return json.loads(text)["data"] if text else {}

    def run(self):
        while not self.ended.is_set():
            # An agent takes ten of a kind.
            if self.agent is None or self.number % 10 == 0:
                self.agent = new_agent(self.server)
            kind = ("csv", "md")[self.number % 2]
            boundary = "boundary-of-the-bench"
            head = f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{self.number}.{kind}"\r\n\r\n'
            body = head.encode() + text_of(self.number, kind) + f"\r\n--{boundary}--\r\n".encode()
            headers = {"content-type": f"multipart/form-data; boundary={boundary}", "origin": self.server.url.geturl()}
            path = f"/documents?agent_id={self.agent}&kind=reference"
            document = self.ask("POST", path, body, headers)
            while document["status"] not in ("ready", "error") and not self.ended.is_set():
                time.sleep(0.2)
                document = self.ask("GET", f"/documents/{document['id']}")
            assert document["status"] != "error", document["error"]
            self.number += 1


def new_agent(server: Server) -> str:
    connection = server.connect()
    headers = {"cookie": server.cookie, "content-type": "application/json", "origin": server.url.geturl()}
    connection.request("POST", "/api/v1/agents", json.dumps({"name": "Bench"}), headers)
    return json.loads(connection.getresponse().read())["data"]["id"]


def run(server: Server, number: int) -> dict:
    quiet, _ = measure(server, QUIET_S)
    reader = Reader(server, number * 1000)
    reader.start()
    busy, _ = measure(server, BUSY_S)
    reader.ended.set()
    reader.join()
    figures = {"quiet": quiet, "reading": busy}
    line = "  ".join(f"{name} p50 {p(times, 50):6.2f} p99 {p(times, 99):6.2f} ms" for name, times in figures.items())
    print(f"{line}  ratio {p(busy, 99) / p(quiet, 99):5.2f}  documents read: {reader.number - reader.first}", flush=True)
    return {name: p(times, 99) for name, times in figures.items()}


def peak_memory(server: Server) -> float:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def main():
    binary, runs = str(pathlib.Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("This needs two cores: one for the server, one for the load.")
    os.sched_setaffinity(0, {cores[1]})
    with tempfile.TemporaryDirectory() as directory:
        server = Server(binary, cores[0], directory)
        try:
            server.sign_up()
            results = [run(server, number) for number in range(runs)]
            memory = peak_memory(server)
        finally:
            server.process.terminate()
            server.process.wait()
    ratio = statistics.median(result["reading"] / result["quiet"] for result in results)
    print(f"p99 while reading against quiet, median of {runs} runs: {ratio:.2f}; the server's peak memory: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
