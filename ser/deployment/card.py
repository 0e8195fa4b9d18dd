"""A model card: what an exported model is, what it learned of, how well it did, and what it is not good for.

The headings are those of Mitchell et al., Model cards for model reporting (FAT* 2019), as far as a run knows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser import __version__
from ser.dataset.described import UNKNOWN_CITATION, UNKNOWN_LICENCE, read_described
from ser.deployment.command import find_command
from ser.deployment.graph import FILES, LONGEST, SHORTEST
from ser.prediction.opened import EXPORT, OpenedRun
from ser.results import read_json

CARD = "MODEL_CARD.md"
#: Files of a run that a card is made of.
NEEDED = ("metrics.json", "dataset.json", "notes.json", "split.csv")
#: Scores of a card, and what they are called; a score of dimensions has their names behind it.
SCORES = {"uar": "UAR", "wa": "WA", "f1_macro": "macro F1", "ccc": "CCC", "pcc": "Pearson's r", "mae": "MAE"}


def write_card(opened: OpenedRun, folder: Path, graphs: Mapping[str, float]) -> Path:
    """Write the card of an export.

    Args:
        opened: the run, with :data:`NEEDED`.
        folder: the export.
        graphs: format → by how much that file differs from the model.
    """
    path = folder / CARD
    about = read_json(folder / EXPORT)
    metrics, corpus, notes = (read_json(opened.folder / name) for name in NEEDED[:3])
    split = pd.read_csv(opened.folder / NEEDED[3], dtype=str)
    sections = {
        "": describe_model(opened, about, graphs),
        "Training data": describe_data(corpus),
        "Split": describe_split(opened, split),
        "Scores": describe_scores(metrics, about),
        "Calibration": describe_calibration(about),
        "Limits": describe_limits(about, notes),
        "Use": describe_use(about, graphs),
        "Training again": describe_training(opened),
    }
    parts = [f"## {title}\n\n{text}" if title else f"# {opened.name}\n\n{text}" for title, text in sections.items()]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def describe_model(opened: OpenedRun, about: Mapping[str, Any], graphs: Mapping[str, float]) -> str:
    """What it is, and what it says."""
    made = opened.config.choices
    rows = [
        ("predicts", ", ".join(about["emotions"] or about["dimensions"])),
        ("reads", f"mono sound at {about['rate']} Hz; files at other rates and with more channels are converted"),
        *((group, str(made[group])) for group in ("backbone", "finetune", "pooling", "head", "audio") if group in made),
        ("models", f"{len(about['folds'])}, whose mean is predicted" if len(about["folds"]) > 1 else "1"),
        ("made by", f"ser {__version__}, run `{opened.key}`"),
        *((FILES[name], f"{name}; differs from the model by {value:.1g} at most") for name, value in graphs.items()),
    ]
    return make_table(("", ""), rows)


def describe_data(corpus: Mapping[str, Any]) -> str:
    """Sizes, licence and source of each corpus."""
    rows = []
    for each in read_described(corpus):
        emotions = ", ".join(f"{name} {count}" for name, count in each.emotions.items())
        gender = ", ".join(f"{count} {name}" for name, count in each.gender.items())
        rows += [
            ("corpus", each.name),
            ("clips", f"{each.clips} ({each.hours * 60:.0f} minutes): {emotions}"),
            ("speakers", f"{each.speakers} ({gender})"),
            ("licence of the corpus", each.licence or UNKNOWN_LICENCE),
            ("cite", each.citation or UNKNOWN_CITATION),
        ]
    return make_table(("", ""), rows)


def describe_split(opened: OpenedRun, split: pd.DataFrame) -> str:
    """Who was where."""
    kind = opened.config.choices.get("split", "")
    text = f"`split={kind}`; nobody is on both sides unless the configuration says so."
    if opened.config.split.get("allow_overlap"):
        text = f"`split={kind}`; **the configuration lets speakers into both sides.**"
    rows = []
    for (fold, part), own in split.groupby(["fold", "part"], sort=False):
        names = sorted(own["speaker"].unique())
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        rows.append((str(fold), str(part), str(len(own)), f"{len(names)}: {shown}"))
    return f"{text}\n\n{make_table(('fold', 'part', 'clips', 'speakers'), rows)}"


def describe_scores(metrics: Mapping[str, float | None], about: Mapping[str, Any]) -> str:
    """Test scores with their intervals; of folds, out-of-fold."""
    rows = []
    for name, value in metrics.items():
        parts = name.split("/")
        if parts[0] != "test" or value is None or not set(parts) & set(SCORES):
            continue
        low, high = (metrics.get(f"{name}_ci_{end}") for end in ("low", "high"))
        interval = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else ""
        rows.append((" ".join(SCORES.get(part, part) for part in parts[1:]), f"{value:.3f}", interval))
    recalls = [
        (f"recall of {name.rpartition('/')[2]}", f"{value:.3f}", "")
        for name, value in metrics.items()
        if name.startswith("test/recall/") and value is not None
    ]
    clips, speakers = (int(metrics.get(f"test/n_{what}") or 0) for what in ("clips", "speakers"))
    text = f"Of {clips} clips of {speakers} test speakers; 95 % intervals over speakers."
    if len(about["folds"]) > 1:
        text += " Each clip was judged by the model of its fold: none is new to all, so their mean cannot be scored."
    return f"{text}\n\n{make_table(('score', 'value', '95 % interval'), rows + recalls)}"


def describe_calibration(about: Mapping[str, Any]) -> str:
    """The temperature that an export keeps."""
    found = about["temperatures"].get("all")
    if not found:
        return "None: nothing was validated. Probabilities rank; they need not be as often right as they say."
    return (
        f"`calibrated=true` divides logits by {found['value']:.2f}, fitted on {found['clips']} validation clips, which "
        f"also chose the epoch: negative log-likelihood {found['before']:.3f} before, {found['after']:.3f} after."
    )


def describe_limits(about: Mapping[str, Any], notes: Sequence[str]) -> str:
    """What it is not good for."""
    forced = f"It gives every sound one of {len(about['emotions'])} emotions, also noise and what is none of them."
    items = [
        *([forced] if about["emotions"] else []),
        "It learned how emotions were acted, elicited or labelled in this corpus; what people feel is another matter.",
        "Other languages, rooms, microphones, ages and ways of speaking than those of the corpus were not tested.",
        "The licences of the corpus and of a pretrained backbone's weights hold for this model, too.",
        *notes,
    ]
    return "\n".join(f"- {item}" for item in items)


def describe_use(about: Mapping[str, Any], graphs: Mapping[str, float]) -> str:
    """Commands."""
    emotional = ".emotion, .probabilities" if about["emotions"] else ".values"
    text = f"""```bash
ser predict run=<this folder> audio=<file, folder or pattern>
```

```python
import ser

said = ser.load("<this folder>")("clip.wav")  # said{emotional}
```"""
    if graphs:
        files = " and ".join(f"`{FILES[name]}`" for name in graphs)
        names = about["emotions"] or about["dimensions"]
        text += (
            f"\n\n{files}: `waveforms` [B, T], float32 at {about['rate']} Hz, {SHORTEST:g} to {LONGEST:g} s, equally "
            f"long and prepared as configured (`audio` in `config.yaml`), to [B, {len(names)}]: {', '.join(names)}."
        )
    return text


def describe_training(opened: OpenedRun) -> str:
    """The command, where it can be told."""
    command = find_command(opened.config)
    if not command:
        return f"Run `{opened.key}`; its `config.yaml` has every setting."
    return f"```bash\n{command}\n```"


def make_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
