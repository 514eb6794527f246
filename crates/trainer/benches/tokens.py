#!/usr/bin/env python3
"""The token pass beside Hugging Face's tokenizers: rows read, put through the template, tokenized and told what is learned.

    benches/tokens.py PATH/TO/cerebros-trainer ROWS

ROWS is a file of chat rows, of which the first 100 MB are taken; then rows of Python's own library, each of them different.
The peer is given the finished texts in memory and only encodes them, in batches on one thread. Both take one core, in MB of
file a second of CPU time, and count the same tokens. CEREBROS_BENCH_TOKENIZER names a tokenizer.json; without it one of
32,000 tokens in Llama 3's way is trained. CEREBROS_BENCH_VENV names a virtual environment with tokenizers; it is made when it is
absent.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import venv

MOST_BYTES = 100_000_000
MOST_OTHER_BYTES = 20_000_000
BATCH = 256
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def python() -> str:
    directory = pathlib.Path(os.environ.get("CEREBROS_BENCH_VENV", "~/.cache/cerebros/bench-validate-venv")).expanduser()
    program = directory / "bin" / "python"
    if not program.exists():
        venv.create(directory, with_pip=True)
    if subprocess.run([program, "-c", "import tokenizers"], stderr=subprocess.DEVNULL).returncode:
        subprocess.check_call([program, "-m", "pip", "install", "--quiet", "tokenizers"], stdout=sys.stderr)
    return str(program)


def library() -> list[str]:
    """Texts of Python's own library."""
    files = sorted(pathlib.Path(os.__file__).parent.glob("**/*.py"))
    files = [file for file in files if "site-packages" not in file.parts]
    return [file.read_text(errors="ignore") for file in files]


def train(path: pathlib.Path) -> None:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in ["<|im_start|>", "<|im_end|>"]]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=32_000, initial_alphabet=alphabet, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(library(), trainer)
    tokenizer.save(str(path))


def make(job: pathlib.Path, rows: str) -> None:
    """A base without weights, and the rows of both kinds."""
    base = job / "base"
    base.mkdir()
    chosen = os.environ.get("CEREBROS_BENCH_TOKENIZER")
    if chosen:
        (base / "tokenizer.json").write_bytes(pathlib.Path(chosen).read_bytes())
    else:
        train(base / "tokenizer.json")
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 300_000,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
    }
    (base / "config.json").write_text(json.dumps(config))
    with open(rows, "rb") as file:
        head = file.read(MOST_BYTES)
    (job / "generated.jsonl").write_bytes(head[: head.rindex(b"\n") + 1])
    written = 0
    with open(job / "source text.jsonl", "w") as file:
        for text in library():
            for start in range(0, len(text) - 1, 3000):
                question, answer = text[start : start + 500], text[start + 500 : start + 3000]
                if answer.strip() and written < MOST_OTHER_BYTES:
                    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                    written += file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def ours(program: str, job: pathlib.Path, rows: pathlib.Path) -> tuple[float, int]:
    parameters = {"method": "supervised", "max_seq_length": 8192, "validation_fraction": 0.0}
    spec = {"version": 1, "job_id": "bench", "base_dir": "base", "dataset": rows.name, "parameters": parameters}
    (job / "job.json").write_text(json.dumps(spec))
    child = subprocess.Popen([program, "lengths", job, job / "lengths.json"], stdin=subprocess.PIPE)
    _, status, usage = os.wait4(child.pid, 0)
    told = json.loads((job / "lengths.json").read_text())
    if status != 0 or "ok" not in told:
        sys.exit(f"the trainer failed: {told}")
    if told["ok"]["truncated_rows"] or told["ok"]["dropped_rows"]:
        sys.exit("not all rows were counted in full")
    return usage.ru_utime + usage.ru_stime, told["ok"]["tokens"]


def theirs(job: pathlib.Path, rows: pathlib.Path) -> tuple[float, int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(job / "base" / "tokenizer.json"))
    texts = []
    for line in rows.open():
        messages = json.loads(line)["messages"]
        texts.append("".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages))
    tokens, before = 0, time.process_time()
    for start in range(0, len(texts), BATCH):
        tokens += sum(len(row) for row in tokenizer.encode_batch(texts[start : start + BATCH], add_special_tokens=False))
    return time.process_time() - before, tokens


def compare(program: str, rows: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        job = pathlib.Path(directory)
        make(job, rows)
        for kind in ["generated", "source text"]:
            path = job / f"{kind}.jsonl"
            megabytes = path.stat().st_size / 1e6
            (seconds, tokens), (peer_seconds, peer_tokens) = ours(program, job, path), theirs(job, path)
            if tokens != peer_tokens:
                sys.exit(f"{tokens} tokens, and {peer_tokens} by tokenizers")
            print(
                f"{'tokens, ' + kind:<19} {megabytes / seconds:.0f} MB/s of CPU, tokenizers {megabytes / peer_seconds:.1f} MB/s: "
                f"{peer_seconds / seconds:.1f} times as fast, {tokens} tokens of {megabytes:.0f} MB counted by both",
                flush=True,
            )


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    if os.environ.get("CEREBROS_BENCH_INSIDE"):
        compare(*sys.argv[1:])
    else:
        sys.exit(subprocess.call([python(), __file__, *sys.argv[1:]], env=os.environ | {"CEREBROS_BENCH_INSIDE": "1"}))
