__all__ = ["starred"]


def starred():
    return 1
