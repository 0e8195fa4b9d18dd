"""What processes do in tests; light, because each of them imports it."""

import os
import time
from pathlib import Path

from ser.errors import InputError


def refuse(place, log_epoch):
    if place.rank == 1:
        raise InputError("a problem", remedy="a remedy")
    time.sleep(60)


def vanish(place, log_epoch):
    if place.rank == 0:
        os._exit(3)
    time.sleep(60)


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def raise_odd(place, log_epoch):
    raise Odd("strange", 1)


def tell(place, log_epoch):
    for epoch in range(3):
        if place.rank == 0:
            log_epoch({"a": epoch / 2}, epoch)


def write_and_sleep(place, log_epoch):
    Path(os.environ["SLEEPERS"], str(os.getpid())).touch()
    time.sleep(60)
