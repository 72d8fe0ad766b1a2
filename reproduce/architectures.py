"""How timm's architectures are evaluated: exactly, how much of them is computed, and in what time, beside a dense pass.

Weights are seeded, since neither the work nor the time depends on them; norms get moments, gains and shifts that are
not trivial, so that no branch counts for nothing. Both ways are timed in turns, in seconds of the processor, with one
thread. What was measured is kept in OUT/architectures.json; nets that are in it are not measured again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from torch import nn

from predicdiff import consistency
from predicdiff.cli.console import say
from predicdiff.cli.outputs import check_outputs
from predicdiff.extras import imported
from predicdiff.nets.modules.net import ModuleNet
from predicdiff.ours import MADE_BY, SHA256

from .common import write_json

NAMES = (
    "resnet18", "resnet50", "resnext26ts", "resnetv2_50", "seresnet18", "eca_resnet33ts", "skresnet18", "cspresnet50",
    "cspdarknet53", "darknet53", "densenet121", "dpn68", "dla34", "vgg11_bn", "inception_v3", "inception_next_tiny",
    "xception41", "efficientnet_b0", "efficientnet_lite0", "tf_efficientnet_lite0", "mobilenetv2_100",
    "mobilenetv3_small_100", "mobilenetv4_conv_small", "mnasnet_100", "ghostnet_100", "fbnetc_100", "lcnet_050",
    "convnext_atto", "convnextv2_atto", "convmixer_768_32", "regnetx_004", "regnety_004", "hrnet_w18_small",
    "repvgg_a0",
    "nf_resnet26", "vovnet39a", "poolformer_s12", "mixer_s32_224", "vit_tiny_patch16_224", "deit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224", "edgenext_xx_small",
)  # fmt: skip
WINDOW = 10


def seeded(name: str, seed: int) -> nn.Module:
    """One of timm's architectures, with seeded weights."""
    torch.manual_seed(seed)
    module: nn.Module = imported("timm", "timm").create_model(name, pretrained=False).eval()
    with torch.no_grad():
        for label, weight in module.named_parameters():
            if weight.dim() <= 1 or "gamma" in label:
                gain = label.endswith(("weight", "gamma", "gain", "scale"))
                weight.uniform_(0.5, 1.5) if gain else weight.normal_(0, 0.1)
        for label, moment in module.named_buffers():
            if label.endswith("running_mean"):
                moment.normal_(0, 0.1)
            elif label.endswith("running_var"):
                moment.uniform_(0.5, 1.5)
    return module


def measured(name: str, *, windows: int, samples: int, rounds: int, seed: int) -> dict[str, Any]:
    """What is found of one architecture: how it is evaluated, work and seconds, and by how much the two ways differ."""
    module = seeded(name, seed)
    shape = module.default_cfg["input_size"]
    net = ModuleNet(module, input_shape=shape, name=name, device="cpu")
    generator = np.random.default_rng(seed)
    image, patches = (
        generator.standard_normal(size).astype(np.float32)
        for size in (shape, (windows, samples, shape[0], WINDOW, WINDOW))
    )
    origins = generator.integers(0, np.subtract(shape[1:], WINDOW) + 1, (windows, 2))
    units = [(unit,) for unit in range(0, net.blobs["logits"][0], 10)]
    values: dict[bool, np.ndarray] = {}
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for way in (True, False):
            net.incremental, net.work.done, net.work.dense = way, 0.0, 0.0
            start = time.process_time()
            values[way] = net.evaluate(image, origins, patches, blob="logits", units=units, batch_size=20)
            seconds[way].append((time.process_time() - start) / (windows * samples))
            if way:
                share = net.work.done / net.work.dense if net.work.dense else 1.0
    net.incremental = True
    image = image[None]
    nudge = (
        net.forward(image, ["logits"])["logits"]
        - net.forward(consistency.nudged(image, consistency.FLOAT32), ["logits"])["logits"]
    )
    return {
        "how": net.evaluation("logits"),
        "share": share,
        "incremental": median(seconds[True]),
        "dense": median(seconds[False]),
        "ratio": median(one / other for one, other in zip(seconds[True], seconds[False])),
        "gap": float(np.abs(values[True] - values[False]).max()),
        "change": float(np.ptp(values[False], (0, 1)).max()),
        "nudge": float(np.abs(nudge).max()),
    }


def row(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    allowed = consistency.WOBBLE * found["nudge"]
    verdict = "yes" if found["gap"] <= allowed else "**no**"
    if found["change"] <= allowed:  # the seeded net answers alike whatever it is shown
        verdict = "cannot be told"
    gaps = f"{verdict}: {found['gap']:.0e} ({allowed:.0e}; {found['change']:.0e})"
    took = f"{found['share']:.0%} | {1e3 * found['dense']:.0f} ms | {found['ratio']:.2f}"
    return f"| {name} | {found['how']} | {gaps} | {took} |"


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--windows", default=4, help="Windows of 10 x 10.")
@click.option("--samples", default=5, help="Draws for each.")
@click.option("--rounds", default=2, help="Times that each way is timed, in turns.")
@click.option("--seed", default=0, help="Of weights, windows and draws.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out"))
def main(names: tuple[str, ...], windows: int, samples: int, rounds: int, seed: int, out: Path) -> None:
    """Measure those that are not there yet, and print the table."""
    torch.set_num_threads(1)
    path = out / "architectures.json"
    check_outputs([path], [])
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for key in (MADE_BY, SHA256):
        known.pop(key, None)
    for name in names or NAMES:
        if name not in known:
            known[name] = measured(name, windows=windows, samples=samples, rounds=rounds, seed=seed)
            write_json(path, known)
            say(row(name, known[name]), err=True)
    say("| net | how | as a dense pass | multiply-adds | dense | time beside dense |", "|---|---|---|---|---|---|")
    say(*(row(name, known[name]) for name in names or NAMES))


if __name__ == "__main__":
    main()
