NAME = "b"
from . import circular_a


def call():
    return circular_a.back()
