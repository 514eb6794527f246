#!/usr/bin/env python3
"""How a storm of sign-ins hurts other requests, and whether an answer's time tells which accounts exist.

    benches/login.py PATH/TO/cerebros [RUNS]

The server has one core and this program another. Each run measures GET /api/v1/agents quiet and then during 200 attempts
to sign in a second; the figures are medians over the runs. Limits are raised, so that hashing is really attempted.
"""

import asyncio
import collections
import http.client
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

SIGN_INS_A_SECOND = 200
STORM_S = 20
QUIET_S = 10
READS_A_SECOND = 100
TRIES = 200
PASSWORD = "correct horse battery"


class Server:
    def __init__(self, binary: str, core: int, directory: str):
        limits = ["REQUESTS", "ADDRESS", "SIGN_IN"]
        environment = {f"RATE_LIMIT_{name}": "100000000" for name in limits}
        environment |= {"DATA_DIR": directory, "BIND": "127.0.0.1:0", "LOG": "error", "PATH": os.environ["PATH"]}
        command = ["taskset", "--cpu-list", str(core), binary, "serve"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = urllib.parse.urlsplit(self.process.stdout.readline().split()[-1])
        self.cookie = None

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)

    def post(self, connection: http.client.HTTPConnection, path: str, body: dict) -> http.client.HTTPResponse:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response

    def sign_up(self):
        body = {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"}
        response = self.post(self.connect(), "/api/v1/auth/sign-up", body)
        assert response.status == 201, response.status
        self.cookie = response.headers["set-cookie"].split(";")[0]


def read_agents(server: Server, seconds: float, results):
    """Latencies in ms of requests at a steady pace."""
    connection, latencies = server.connect(), []
    start = time.perf_counter()
    for number in range(int(seconds * READS_A_SECOND)):
        time.sleep(max(0.0, start + number / READS_A_SECOND - time.perf_counter()))
        sent = time.perf_counter()
        connection.request("GET", "/api/v1/agents", headers={"cookie": server.cookie})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        latencies.append((time.perf_counter() - sent) * 1000)
    results.put(latencies)


async def attempt(server: Server, email: str) -> int:
    reader, writer = await asyncio.open_connection(server.url.hostname, server.url.port)
    body = json.dumps({"email": email, "password": "wrong horse battery"}).encode()
    head = (
        "POST /api/v1/auth/sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def storm(server: Server) -> collections.Counter:
    attempts, start = [], time.perf_counter()
    for number in range(SIGN_INS_A_SECOND * STORM_S):
        await asyncio.sleep(max(0.0, start + number / SIGN_INS_A_SECOND - time.perf_counter()))
        email = "ada@example.org" if number % 2 else f"nobody-{number}@example.org"
        attempts.append(asyncio.ensure_future(attempt(server, email)))
    return collections.Counter(await asyncio.gather(*attempts))


def p(latencies: list[float], percent: float) -> float:
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * percent / 100))]


def measure(server: Server, seconds: float, meanwhile=None) -> tuple[list[float], object]:
    results = multiprocessing.Queue()
    reader = multiprocessing.Process(target=read_agents, args=(server, seconds, results))
    reader.start()
    outcome = meanwhile() if meanwhile else None
    latencies = results.get()
    reader.join()
    return latencies, outcome


def run(server: Server) -> dict:
    quiet, _ = measure(server, QUIET_S)
    loud, statuses = measure(server, STORM_S, lambda: asyncio.run(storm(server)))
    figures = {"quiet": quiet, "storm": loud}
    line = "  ".join(f"{name} p50 {p(times, 50):6.2f} p99 {p(times, 99):6.2f} ms" for name, times in figures.items())
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    print(f"{line}  ratio {p(loud, 99) / p(quiet, 99):5.2f}  sign-ins: {answers}", flush=True)
    return {name: p(times, 99) for name, times in figures.items()}


def known_and_unknown(server: Server):
    connection, times = server.connect(), {"known": [], "unknown": []}
    for number in range(TRIES):
        for kind, email in (("known", "ada@example.org"), ("unknown", f"nobody-{number}@example.org")):
            sent = time.perf_counter()
            response = server.post(connection, "/api/v1/auth/sign-in", {"email": email, "password": "wrong horse battery"})
            times[kind].append((time.perf_counter() - sent) * 1000)
            assert response.status == 401, response.status
    known, unknown = statistics.median(times["known"]), statistics.median(times["unknown"])
    print(f"sign-in, medians of {TRIES}: known {known:.2f} ms, unknown {unknown:.2f} ms, apart {abs(known - unknown):.2f} ms")


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
            known_and_unknown(server)
            results = [run(server) for _ in range(runs)]
        finally:
            server.process.terminate()
            server.process.wait()
    ratio = statistics.median(result["storm"] / result["quiet"] for result in results)
    print(f"p99 during the storm against quiet, median of {runs} runs: {ratio:.2f}")


if __name__ == "__main__":
    main()
