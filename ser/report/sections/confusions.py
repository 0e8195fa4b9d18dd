"""What is taken for what: a confusion matrix for each configuration and test corpus."""

from __future__ import annotations

from ser.report.blocks import Matrices, Matrix, Section, Text, count_things
from ser.report.collect import Sweep
from ser.report.summarise import Confusion, average_confusions

MOST_SHOWN = 12


def build_confusions(sweep: Sweep) -> Section | None:
    """Small multiples, best configuration first, test corpora apart; nothing where no emotions were predicted."""
    corpora: dict[str, list[Matrix]] = {}
    for part in sweep.parts:
        for (name, corpus), confusion in average_confusions(part).items():
            corpora.setdefault(corpus, []).append(_make_matrix(name, confusion))
    if not corpora:
        return None
    text = (
        "Rows are the true emotion, columns the predicted one. A cell is the percentage of the row's clips, normalised "
        "within each run, then averaged over runs; the diagonal is the recall. Mean counts: report/confusion_*.csv."
    )
    blocks = [
        Matrices(matrices[:MOST_SHOWN], matrices[MOST_SHOWN:], f"Tested on {corpus}" if corpus else "")
        for corpus, matrices in corpora.items()
    ]
    return Section("confusions", "Confusion matrices", [Text(text), *blocks])


def _make_matrix(name: str, confusion: Confusion) -> Matrix:
    shares, counts = confusion.shares.to_numpy().tolist(), confusion.counts.to_numpy().tolist()
    return Matrix(name, f"mean of {count_things(confusion.runs, 'run')}", list(confusion.shares.index), shares, counts)
