"""What the divisions of the runs say against, or for, their scores: leaks, copies, few speakers, uneven cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ser.report.blocks import count_things, join_distinct
from ser.report.collect import Run, Sweep
from ser.report.summarise import list_corpora

#: Resampling fewer speakers than this gives intervals that are too narrow as a rule.
FEW_SPEAKERS = 10
#: Largest class over smallest, from which on classes are called uneven.
UNEVEN = 2.0


def remark_leaks(sweep: Sweep) -> Iterator[str]:
    """Whether speakers or clips are on two sides of a fold, as the runs' own lists say."""
    known = [run for run in sweep.done if run.division is not None]
    if sweep.done and not known:
        yield "Whether speakers or clips are on two sides of a fold cannot be checked: no run has a split.csv."
    clean = []
    for column in ("speaker", "clip"):
        found = [count for run in known if (count := run.division.count_shared(column))[0]]  # type: ignore[union-attr]
        if found:
            most, folds = max(found)
            yield (
                f"Leak: in {count_things(len(found), 'run')}, up to {count_things(most, column)} are in two parts of "
                f"a fold (in {count_things(folds, 'fold')}); scores are not those of new {column}s."
            )
        else:
            clean.append(column)
    if known and clean:
        yield (
            f"Checked: no {' and no '.join(clean)} is in two parts of a fold (training, validation, test), by the "
            f"split.csv of {_count_of(len(known), sweep)}."
        )


def remark_same_sound(sweep: Sweep) -> Iterator[str]:
    """Whether a clip of a test part sounds exactly like one elsewhere."""
    known = [run for run in sweep.done if run.division is not None and "same_sound" in run.dataset]
    crossing = [count for run in known if (count := _count_crossing(run))]
    if crossing:
        yield (
            f"Copies: in {count_things(len(crossing), 'run')}, up to {count_things(max(crossing), 'test clip')} "
            "sound exactly like a clip of another part of the fold."
        )
    elif known:
        yield (
            "Checked: no test clip has exactly the waveform of a clip that trains or validates "
            f"({_count_of(len(known), sweep)}); copies that were cut, resampled or recorded anew are not found so."
        )
    if len(known) < len(sweep.done):
        yield f"Not checked: copies of clips under other names, in {count_things(len(sweep.done) - len(known), 'run')}."


def remark_overlap(sweep: Sweep) -> Iterator[str]:
    """That the configuration permits leaks."""
    permitted = sum(bool((run.config.get("split") or {}).get("allow_overlap")) for run in sweep.done)
    if permitted:
        yield f"{count_things(permitted, 'run')} had split.allow_overlap=true, which permits speakers on both sides."


def remark_speakers(sweep: Sweep) -> Iterator[str]:
    """That few speakers were tested."""
    for corpus in list_corpora(sweep):
        numbers = [run.predict(corpus)["speaker"].nunique() for run in sweep.done]
        few = [number for number in numbers if 1 < number < FEW_SPEAKERS]
        if few:
            on = f" of {corpus}" if corpus else ""
            yield (
                f"Few test speakers{on} ({_tell_range(few)}): intervals over fewer than {FEW_SPEAKERS} speakers are "
                "rough, and mostly too narrow."
            )


def remark_classes(sweep: Sweep) -> Iterator[str]:
    """That emotions have uneven numbers of clips, or are not shown by all speakers."""
    named = [run for run in sweep.done if not run.dimensions]
    divisions = {id(run.division): run.division for run in named if run.division is not None}
    said: Counter[str] = Counter()
    for division in divisions.values():
        cells = division.count_cells()
        sizes = cells.sum().sort_values(kind="stable")
        if len(sizes) > 1 and sizes.iloc[-1] >= UNEVEN * sizes.iloc[0]:
            said[
                f"Uneven emotions: {sizes.index[-1]} has {sizes.iloc[-1]} clips, {sizes.index[0]} {sizes.iloc[0]}. UAR "
                "weighs them alike, so the few clips of a rare emotion count for much."
            ] += 1
        empty = int((cells == 0).to_numpy().sum())
        if empty:
            lacking = [str(name) for name in cells.columns[(cells == 0).any()]]
            said[
                f"{empty} of {cells.size} cells of speaker × emotion have no clip ({join_distinct(lacking)}): "
                "not every speaker shows every emotion."
            ] += 1
    yield from said


def _count_crossing(run: Run) -> int:
    groups = run.dataset["same_sound"]
    return run.division.count_crossing(groups) if groups and run.division is not None else 0


def _count_of(number: int, sweep: Sweep) -> str:
    return "all runs" if number == len(sweep.done) > 1 else count_things(number, "run")


def _tell_range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
