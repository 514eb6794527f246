"""PyTorch PEFT as the peer of the trainer: the same base, rows, order, initial adapter and schedule.

`make DIR` writes a random base of SmolLM-135M's shape, rows and an initial adapter; `train DIR` trains on them and
prints one JSON object: losses, gradient norms, seconds and CPU seconds a step, peak memory. fp32, one thread, batch 1 x 256
tokens. Every token but the first is learned, so that neither side gains by leaving masked rows out of the head.
"""

import json
import math
import pathlib
import random
import resource
import sys
import time

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

STEPS, TOKENS, PROMPT, RATE = 20, 256, 1, 2e-4
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make(directory: pathlib.Path) -> None:
    torch.manual_seed(0)
    base = directory / "base"
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(base)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    peft = get_peft_model(model, lora)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            # Not zero, so that every factor has a gradient from the first step on.
            parameter.data.normal_(0, 0.01, generator=generator)
    peft.save_pretrained(directory / "initial")

    words = [f"w{index}" for index in range(49152)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: index for index, word in enumerate(words)}, "unk_token": "w0"},
    }
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    chooser = random.Random(2)
    with open(directory / "data.jsonl", "w") as rows:
        for _ in range(STEPS):
            # Words of a small set, so that there is something to learn.
            text = [f"w{chooser.randrange(3, 1000)}" for _ in range(TOKENS)]
            question, answer = " ".join(text[:PROMPT]), " ".join(text[PROMPT:])
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            rows.write(json.dumps({"messages": messages}) + "\n")
    parameters = {
        "rank": 16, "alpha": 32, "learning_rate": RATE, "epochs": 1, "batch_size": 1, "max_seq_length": TOKENS,
        "warmup_ratio": 0.1, "weight_decay": 0.01, "validation_fraction": 0.0, "checkpoint_every_steps": 10000,
        "seed": 7, "threads": 1,
    }
    job = {
        "version": 1, "job_id": "bench", "base_dir": "base", "dataset": "data.jsonl", "initial_adapter": "initial",
        "parameters": parameters,
    }
    (directory / "job.json").write_text(json.dumps(job))


def train(directory: pathlib.Path, order: list[int]) -> None:
    torch.set_num_threads(1)
    rows = [json.loads(line)["messages"] for line in open(directory / "data.jsonl")]
    ids = [[int(word[1:]) for message in row for word in message["content"].split()] for row in rows]
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(model, directory / "initial", is_trainable=True)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)
    warmup = math.ceil(0.1 * STEPS)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: step / warmup if step < warmup
        else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (STEPS - warmup))),
    )
    losses, norms, seconds, cpu_seconds = [], [], [], []
    for row in order:
        start, cpu_start = time.perf_counter(), time.process_time()
        tokens = torch.tensor([ids[row]])
        labels = tokens.clone()
        labels[:, :PROMPT] = -100
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        norms.append(norm.item())
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "losses": losses, "grad_norms": norms, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak,
    }))


if __name__ == "__main__":
    command, target = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "make":
        make(target)
    else:
        train(target, json.loads(sys.argv[3]))
