"""Who is in train, validation and test; refuses leaks."""

from ser.split.allocate import allocate_groups
from ser.split.base import Splitter
from ser.split.fixed import Fixed
from ser.split.fold import Fold, Split, check_leaks, describe_balance, tabulate_split
from ser.split.from_file import FromFile
from ser.split.holdout import Holdout
from ser.split.kfold import KFold
from ser.split.logo import LeaveOneGroupOut
from ser.split.official import Official

__all__ = [
    "Fixed",
    "Fold",
    "FromFile",
    "Holdout",
    "KFold",
    "LeaveOneGroupOut",
    "Official",
    "Split",
    "Splitter",
    "allocate_groups",
    "check_leaks",
    "describe_balance",
    "tabulate_split",
]
