from . import circular_b


def __getattr__(name):
    if name == "lazy_attribute":
        from . import lazily

        return lazily.call
    raise AttributeError(name)


def setup():
    return circular_b.NAME


setup()
