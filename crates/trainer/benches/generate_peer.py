"""PyTorch transformers and llama.cpp as peers of the inference process: the same base, prompts and greedy choice.

`adapters DIR COUNT` writes adapters for the base in DIR; `transformers DIR DTYPE PREFILL PROMPT ANSWER` and `llama DIR
PREFILL PROMPT ANSWER` print one JSON object: seconds and CPU seconds of reading a prompt of PREFILL tokens, and of each
token of an answer of ANSWER tokens to PROMPT tokens, and that answer's tokens. llama.cpp gets the base as a GGUF file in bf16.
"""

import contextlib
import json
import os
import pathlib
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROUNDS = 3
# As many as the inference process takes.
THREADS = -(-os.cpu_count() // 2)


def adapters(directory: pathlib.Path, count: int) -> None:
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=MODULES, task_type="CAUSAL_LM")
    peft = get_peft_model(model, lora)
    for index in range(count):
        generator = torch.Generator().manual_seed(index)
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(0, 0.02, generator=generator)
        peft.save_pretrained(directory / f"adapter-{index}")


def ids(length: int) -> list[int]:
    return [3 + index % 1000 for index in range(length)]


def told(rounds: list[dict], answer: list[int]) -> None:
    medians = {name: statistics.median(round[name] for round in rounds) for name in rounds[0]}
    print(json.dumps({**medians, "answer": answer}))


@contextlib.contextmanager
def timed(round: dict, name: str, tokens: int = 1):
    start, cpu = time.perf_counter(), time.process_time()
    yield
    round[name] = (time.perf_counter() - start) / tokens
    round[f"{name}_cpu"] = (time.process_time() - cpu) / tokens


@torch.inference_mode()
def transformers(directory: pathlib.Path, dtype: str, prefill: int, prompt: int, answer: int) -> None:
    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=getattr(torch, dtype))
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({})
        with timed(rounds[-1], "prefill"):
            model(torch.tensor([ids(prefill)]), use_cache=True, logits_to_keep=1)
        output = model(torch.tensor([ids(prompt)]), use_cache=True, logits_to_keep=1)
        said = []
        with timed(rounds[-1], "decode", answer):
            for _ in range(answer):
                token = output.logits[:, -1:].argmax(-1)
                said.append(token.item())
                output = model(token, past_key_values=output.past_key_values, use_cache=True)
    told(rounds, said)


def to_gguf(directory: pathlib.Path, dtype: str) -> pathlib.Path:
    """The base as llama.cpp reads it, in BF16 or F32: each head's rows of q and k in the other order of rotation."""
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
    from safetensors import safe_open

    config = json.loads((directory / "base" / "config.json").read_text())
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    path = directory / "base.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_file_type({"BF16": LlamaFileType.MOSTLY_BF16, "F32": LlamaFileType.ALL_F32}[dtype])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"\u2581w{index}" for index in range(config["vocab_size"])])
    writer.add_token_scores([0.0] * config["vocab_size"])
    writer.add_token_types([TokenType.NORMAL] * config["vocab_size"])
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    with safe_open(directory / "base" / "model.safetensors", "pt") as base:
        for name in base.keys():
            tensor = base.get_tensor(name)
            parts = name.split(".")
            if name == "model.embed_tokens.weight":
                to = "token_embd"
            elif name == "model.norm.weight":
                to = "output_norm"
            else:
                to = f"blk.{parts[2]}.{names['.'.join(parts[3:-1])]}"
            if to.endswith(("attn_q", "attn_k")):
                count = heads if to.endswith("attn_q") else kv_heads
                wide = tensor.shape[1]
                tensor = tensor.view(count, 2, -1, wide).transpose(1, 2).reshape(-1, wide)
            if tensor.dim() == 1 or dtype == "F32":
                writer.add_tensor(f"{to}.weight", tensor.float().numpy())
            else:
                bits = tensor.contiguous().view(torch.uint8).numpy()
                writer.add_tensor(f"{to}.weight", bits, raw_dtype=GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def llama(directory: pathlib.Path, prefill: int, prompt: int, answer: int) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(to_gguf(directory, "BF16"))
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.warmup = True
    parameters.n_gpu_layers = 0
    for cpu in [parameters.cpuparams, parameters.cpuparams_batch]:
        cpu.n_threads = THREADS
    server = xllamacpp.Server(parameters)

    def ask(tokens: list[int], count: int) -> list[int]:
        request = {
            "prompt": tokens, "n_predict": count, "temperature": 0, "top_k": 1, "cache_prompt": False, "ignore_eos": True,
        }
        words = server.handle_completions(request)["choices"][0]["text"].split()
        return [int(word[1:]) for word in words]

    ask(ids(prompt), 4)
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({})
        with timed(rounds[-1], "prefill"):
            ask(ids(prefill), 1)
        first = {}
        with timed(first, "decode", answer):
            ask(ids(prompt), 1)
        with timed(rounds[-1], "decode", answer):
            said = ask(ids(prompt), answer + 1)
        # The first token is all prefill.
        for name, seconds in first.items():
            rounds[-1][name] -= seconds
    told(rounds, said[:answer])


if __name__ == "__main__":
    command, directory, *rest = sys.argv[1:]
    directory = pathlib.Path(directory)
    if command == "transformers":
        transformers(directory, rest[0], *map(int, rest[1:]))
    else:
        {"adapters": adapters, "llama": llama}[command](directory, *map(int, rest))
