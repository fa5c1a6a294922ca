def call():
    return at_import()


def at_import():
    return 1


VALUE = [at_import() for _ in range(2)]
