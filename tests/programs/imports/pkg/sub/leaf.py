from .. import setup


def call():
    return setup()
