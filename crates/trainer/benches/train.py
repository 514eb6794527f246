#!/usr/bin/env python3
"""Trainer against PyTorch PEFT: tokens/s, peak memory, losses, on a random base of SmolLM-135M's shape.

    benches/train.py PATH/TO/cerebros-trainer

CEREBROS_BENCH_VENV names a virtual environment with torch, transformers and peft; it is made when it is absent. Runs of
both alternate, so that a busy machine hurts both; the figures are medians over all steps but the first of each run. On a
machine that does other work, too, the ratio of CPU time tells more than that of wall time.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv

ROUNDS = 2
PEER = pathlib.Path(__file__).with_name("peft_peer.py")


def python() -> str:
    directory = pathlib.Path(os.environ.get("CEREBROS_BENCH_VENV", "~/.cache/cerebros/bench-venv")).expanduser()
    program = directory / "bin" / "python"
    if not program.exists():
        venv.create(directory, with_pip=True)
        subprocess.check_call([program, "-m", "pip", "install", "--quiet", "torch", "transformers", "peft"])
    return str(program)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has taken so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(binary: str, job: pathlib.Path) -> dict:
    for name in ["checkpoints", "adapter"]:
        shutil.rmtree(job / name, ignore_errors=True)
    (job / "result.json").unlink(missing_ok=True)
    child = subprocess.Popen([binary, "train", job], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    events, cpu = [], []
    for line in child.stdout:
        events.append(json.loads(line))
        if events[-1]["type"] == "metric":
            cpu.append(cpu_seconds(child.pid))
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"the trainer failed: {events[-1]}")
    metrics = [event for event in events if event["type"] == "metric"]
    return {
        "losses": [metric["loss"] for metric in metrics],
        "grad_norms": [metric["grad_norm"] for metric in metrics],
        "seconds": [256 / metric["tokens_per_second"] for metric in metrics],
        # The first step's cannot be told from the loading before it, and is left out below.
        "cpu_seconds": [0.0] + [after - before for before, after in zip(cpu, cpu[1:])],
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def main() -> None:
    binary = sys.argv[1]
    interpreter = python()
    with tempfile.TemporaryDirectory() as directory:
        job = pathlib.Path(directory)
        subprocess.check_call([interpreter, PEER, "make", job], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        order = json.loads(subprocess.check_output([binary, "order", job]))
        rows = json.dumps([row for step in order for batch in step for row in batch])
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(train(binary, job))
            command = [interpreter, PEER, "train", job, rows]
            theirs.append(json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)))
    median = lambda runs, key: statistics.median(second for run in runs for second in run[key][1:])
    speed = lambda runs, key: 256 / median(runs, key)
    peak = lambda runs: max(run["peak_bytes"] for run in runs)
    largest = lambda key: max(abs(a - b) for a, b in zip(ours[0][key], theirs[0][key]))
    print("SmolLM-135M's shape, fp32, one thread, batch 1 x 256, every token but the first learned")
    for name, key in [("tokens/s", "seconds"), ("tokens/CPU s", "cpu_seconds")]:
        us, them = speed(ours, key), speed(theirs, key)
        print(f"{name:<14} {us:8.1f}   PEFT {them:8.1f}   ratio {us / them:.2f} (target >= 1.5)")
    print(f"peak MB        {peak(ours) / 1e6:8.0f}   PEFT {peak(theirs) / 1e6:8.0f}   ratio {peak(ours) / peak(theirs):.2f} (target <= 0.6)")
    print(f"largest difference of losses {largest('losses'):.1e} (target <= 1e-3), of gradient norms {largest('grad_norms'):.1e}")


if __name__ == "__main__":
    main()
