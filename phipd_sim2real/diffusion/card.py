"""The model card of a fitted model, written from its record alone."""

from __future__ import annotations

from typing import Any

OBJECTIVES = {
    "flow": "flow matching on structured noise, v = ε − x₀",
    "epsilon": "noise prediction on structured noise, ε",
    "v_prediction": "v prediction on structured noise, α ε − σ x₀",
}

RENDERED = ("simulator", "carla")
"""Parts of the names of domains whose pictures are rendered."""


def card(record: dict[str, Any]) -> str:
    """README.md of a model folder, from the content of its `fit.json`; the same wherever the folder lies."""
    sections = [_header(record), _usage(record), _table(record), _figures(record), _limits(record)]
    return "\n".join(sections)


def _header(record: dict[str, Any]) -> str:
    kind = "Low-rank adapters" if _adapters(record) else "A model"
    images = record["images"]
    return f"""---
library_name: diffusers
tags: [image-to-image, sim2real, phase-preserving-diffusion]
---
# {record["family"]} in the look of {record["settings"]["data"]}

{kind} for phase-preserving diffusion (NeuralRemaster, arXiv 2512.05106) of the family `{record["family"]}`, fitted to
{images["count"]} unpaired pictures of the domain "{images["domain"]}"{_origin(images["domain"])}.
"""


def _origin(domain: str) -> str:
    rendered = any(part in domain.lower() for part in RENDERED)
    return ", all of them rendered: it has learnt no real picture" if rendered else ""


def _usage(record: dict[str, Any]) -> str:
    prompt = record["settings"]["prompt"]
    told = f", prompt={prompt!r}" if prompt else ""
    call = "enhance(images, seeds=range(len(images))"
    shapes = "uint8 (N, H, W, 3) in and out"
    if _frames(record) > 1:
        call, shapes = "enhance_stream(frames, seed=0", "uint8 (H, W, 3) each, one after the other"
    lines = f"""```python
from phipd_sim2real import Enhancer

enhancer = Enhancer.from_pretrained(FOLDER)  # where this file lies
enhanced = enhancer.{call}, cutoff=0.2{told})  # {shapes}
```
"""
    if _adapters(record):
        lines += f"""
The weights are adapters alone, in the layout of `pipeline.load_lora_weights`. Their base is
`{record["settings"]["initial"]}` with weights of SHA-256 `{record["base_sha256"]}`; its licence holds for what
is made with them.
"""
    return lines


def _table(record: dict[str, Any]) -> str:
    settings = record["settings"]
    rows = {
        "Pictures": _pictures(record["images"]),
        "Held out": _pictures(record["held_out"]) if "held_out" in record else "none",
        "Start": "random weights" if settings["initial"] is None else f"`{settings['initial']}`",
        "Trained": f"{record['parameters']:,} parameters{_rank(settings)}",
        "Objective": OBJECTIVES[record["objective"]],
        "Cutoff": _law(settings),
        "Steps": f"{settings['steps']} of {_crops(settings)}",
        "Optimizer": f"AdamW {settings['learning_rate']:g}, {settings['warmup_steps']} steps up, "
        f"{settings['decay_steps']} down; moving average {settings['ema_decay']:g}; seed {settings['seed']}",
        "Weights": f"SHA-256 `{record['weights_sha256']}`",
    }
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines) + "\n\n`fit.json` holds every setting; the same ones make the same bytes on one machine.\n"


def _pictures(images: dict[str, Any]) -> str:
    return f'{images["count"]} of domain "{images["domain"]}", SHA-256 `{images["sha256"]}`'


def _rank(settings: dict[str, Any]) -> str:
    return "" if settings["lora"] is None else f", adapters of rank {settings['lora']['rank']}"


def _law(settings: dict[str, Any]) -> str:
    law, free = settings["cutoff"], settings["free_below"]
    if isinstance(law, dict):
        text = f"{law['start']:g} + exponential of mean {law['mean']:g}, at most {law['highest']:g} cycles per pixel"
    else:
        text = f"uniform in {law[0]:g} to {law[1]:g} cycles per pixel"
    return text + (f"; in a third of the crops phase below up to {free:g} is let go" if free else "")


def _crops(settings: dict[str, Any]) -> str:
    sizes = " or ".join(
        f"{crop['count']} {_kind(crop)} of {crop['width']}×{crop['height']}" for crop in settings["crops"]
    )
    if settings["stride"] > 1:
        sizes += f", every {settings['stride']}th picture of a run"
    return sizes if settings["accumulate"] == 1 else f"{settings['accumulate']} micro-batches of {sizes}"


def _kind(crop: dict[str, Any]) -> str:
    return "crops" if crop["frames"] == 1 else f"clips of {crop['frames']} frames"


def _frames(record: dict[str, Any]) -> int:
    """Of the longest clip that was learnt; 1 of pictures."""
    return max(crop["frames"] for crop in record["settings"]["crops"])


def _figures(record: dict[str, Any]) -> str:
    curve = record["loss_curve"]
    lines = [
        "## Figures",
        "",
        "Training loss, mean up to each step from the one before:",
        "",
        "| step | " + " | ".join(str(point["step"]) for point in curve) + " |",
        "|---|" + "---|" * len(curve),
        "| loss | " + " | ".join(f"{point['loss']:.4f}" for point in curve) + " |",
        "",
    ]
    validation = record["validation"]
    if validation is None:
        return "\n".join([*lines, "Nothing was held out, so nothing was measured on unseen pictures.", ""])
    lines += [
        f"On held-out pictures at step {validation['step']}{_reason(validation['chosen_by'])}:",
        "",
        "| measure | value | unit | better | pictures |",
        "|---|---|---|---|---|",
    ]
    for row in validation["measures"]:
        valid = f"{row['valid']} of {row['total']}"
        value = f"{row['value']:.4g}" if row["valid"] else "–"
        lines.append(f"| {row['name']} | {value} | {row['unit']} | {row['better']} | {valid} |")
    return "\n".join([*lines, ""])


def _reason(chosen_by: str) -> str:
    if chosen_by == "last":
        return ", the last that was measured"
    return f", whose weights these are: of all steps that were measured its {chosen_by} was best"


def _limits(record: dict[str, Any]) -> str:
    crops = record["settings"]["crops"]
    largest = max(crops, key=lambda crop: crop["height"] * crop["width"])
    return f"""## Limits

- What is finer than the cutoff is invented. Check the labels of small objects with `phipd inspect`.
- It has seen crops of up to {largest["width"]}×{largest["height"]} pixels; much larger frames may show wide surfaces
  that it never saw whole.
- It knows nothing but the pictures above: no other weather, place or camera.
""" + _clips(record)


def _clips(record: dict[str, Any]) -> str:
    frames = _frames(record)
    if frames == 1:
        return ""
    return f"""\
- It has seen clips of up to {frames} frames, each from its own first frame; longer videos are made window by window,
  each begun by the last frame of the one before.
"""


def _adapters(record: dict[str, Any]) -> bool:
    lora = record["settings"]["lora"]
    return lora is not None and not lora["merge"]
