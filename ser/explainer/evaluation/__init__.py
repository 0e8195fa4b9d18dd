"""How good an explanation is: faithfulness, robustness, sanity and localisation, against nulls and an oracle."""

from ser.explainer.evaluation.compare import compare
from ser.explainer.evaluation.settings import CellSize, Evaluation
from ser.explainer.evaluation.summary import summarise, tabulate_explainers

__all__ = ["CellSize", "Evaluation", "compare", "summarise", "tabulate_explainers"]
