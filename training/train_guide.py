"""Train, quantize and evaluate convergio-guide, the model that the package carries.

    python training/train_guide.py                       # into python/convergio_mlx/guide/
    python training/train_guide.py --evaluate FOLDER     # held-out questions, perplexity, size

Needs torch (2.13.0 here), tokenizers, safetensors and jinja2; see docs/guide-model.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve a shared machine

import torch

from guide.batches import Encoder, batches
from guide.corpus import asked, conversations
from guide.held_out import HeldOut
from guide.judge import SETS, load_items
from guide.network import Guide, read_model, write_model
from guide.optimizer import Optimizer
from guide.report import report, write_golden
from guide.text import (
    END_OF_TEXT,
    TURN_END,
    renderer,
    train_tokenizer,
    write_text_files,
)

WARM_UP = 12_000  # conversations
FOLDER = Path(__file__).resolve().parents[1] / "python" / "convergio_mlx" / "guide"


def held_out_questions() -> HeldOut:
    """Every last question of the held-out items."""
    return HeldOut(asked(item["messages"])[-1] for name in SETS for item in load_items(name))


def rate(step: int, steps: int, last_part: float) -> float:
    """Part of the peak rate: a warm-up, a plateau, and a linear fall in the last part."""
    warm = max(1, min(steps // 20, 60))
    fall = (steps - step) / (steps * last_part)
    return min((step + 1) / warm, 1.0, 0.01 + 0.99 * fall)


def train(options: argparse.Namespace, tokenizer: Any, held: HeldOut) -> Guide:
    """The model after `options.tokens` tokens, the last part of them with fake quantization."""
    torch.manual_seed(options.seed)
    model = read_model(options.start).train() if options.start else Guide()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    encoder = Encoder(tokenizer)
    warm_up = 0 if options.start else WARM_UP
    source = conversations(options.seed + 1, held, warm_up)
    stream = batches(source, encoder, options.batch, held)
    optimizer = Optimizer(model, options.matrix_rate, options.rate, options.decay)
    steps = options.tokens // options.batch
    begun, seen, mean = time.monotonic(), 0, 0.0
    first = 0
    if options.state and options.state.exists():
        saved = torch.load(options.state)
        model.load_state_dict(saved["model"])
        optimizer.load(saved["optimizer"])
        first = saved["step"]
        source = conversations(options.seed + first, held)  # new ones, not the first again
        stream = batches(source, encoder, options.batch, held)
    for step in range(first, steps):
        if step >= steps * (1 - options.last_part) and not model.quantized:
            model.quantize(True)
        total = 0.0
        batch = next(stream)
        weight = sum(float(block.weights[:, 1:].sum()) for block in batch)
        for block in batch:
            with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
                loss = model.loss(block.tokens, block.weights, block.documents) / weight
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            seen += int((block.documents > 0).sum())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(rate(step, steps, options.last_part))
        mean = total if step == first else 0.95 * mean + 0.05 * total
        if step % 50 == 0 or step == steps - 1:
            took = time.monotonic() - begun
            print(
                f"step {step}/{steps} loss {mean:.4f} {seen / took:.0f} tokens/s {took:.0f} s",
                flush=True,
            )
        if options.save_every and step and step % options.save_every == 0:
            save(options.folder, model, tokenizer)
            if options.state and not model.quantized:
                parts = {"model": model.state_dict(), "optimizer": optimizer.state()}
                torch.save({**parts, "step": step + 1}, options.state)
    return model


def save(folder: Path, model: Guide, tokenizer: Any) -> None:
    """The whole model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder, model, [tokenizer.token_to_id(t) for t in (TURN_END, END_OF_TEXT)])
    write_text_files(folder, tokenizer)


def main() -> None:
    """Parse the options; train and evaluate, or evaluate only."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--evaluate", type=Path, metavar="FOLDER", help="only evaluate this folder")
    parser.add_argument("--golden", action="store_true", help="write its tests/guide/golden.json")
    parser.add_argument("--wrong", action="store_true", help="print the wrong answers")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the model goes")
    parser.add_argument("--start", type=Path, metavar="FOLDER", help="go on from this model")
    parser.add_argument("--tokens", type=int, default=5_000_000, help="training tokens")
    parser.add_argument("--batch", type=int, default=4096, help="tokens a step")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak rate of AdamW")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="peak rate of Muon")
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay of Muon")
    parser.add_argument(
        "--last-part", type=float, default=0.4, help="of the steps: falling rate, 4-bit weights"
    )
    parser.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--state", type=Path, metavar="FILE", help="go on from here if it exists")
    parser.add_argument("--save-every", type=int, default=0, metavar="STEPS")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    from tokenizers import Tokenizer

    if options.evaluate:
        tokenizer = Tokenizer.from_file(str(options.evaluate / "tokenizer.json"))
        if options.golden:
            write_golden(read_model(options.evaluate), tokenizer)
            return
        report(read_model(options.evaluate), tokenizer, "quantized", options.wrong)
        size = sum(f.stat().st_size for f in options.evaluate.iterdir() if f.is_file())
        print(f"folder: {size:,} bytes")
        return
    held = held_out_questions()
    render = renderer()
    if options.start:
        tokenizer = Tokenizer.from_file(str(options.start / "tokenizer.json"))
    else:
        sample = itertools.islice(conversations(options.seed, held), 30_000)
        tokenizer = train_tokenizer(render(**made) for made in sample)
    begun = time.monotonic()
    model = train(options, tokenizer, held)
    print(f"trained in {(time.monotonic() - begun) / 60:.1f} minutes", flush=True)
    save(options.folder, model, tokenizer)
    model.quantize(False)
    report(model, tokenizer, "float", False)
    report(read_model(options.folder), tokenizer, "quantized", options.wrong)


if __name__ == "__main__":
    main()
