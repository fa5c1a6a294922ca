from . import circular_b


def call():
    return circular_b.call()


def back():
    return 1


early = back()
