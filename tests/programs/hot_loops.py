"""Hot calls of every shape: 5000 rounds, so that every version specialises them."""


def plain(x):
    return x


def two(a, b=1):
    return plain(a)


def constant():
    return None


class Point:
    def __init__(self, x):
        self.x = x

    def method(self, y):
        return y

    @property
    def prop(self):
        return self.x

    def __getitem__(self, key):
        return key

    def __add__(self, other):
        return self

    def __len__(self):
        return 3


def items():
    while True:
        yield 1


def loop():
    point = Point(1)
    generator = items()
    for i in range(5000):
        plain(i)
        two(i)
        two(a=i, b=2)
        constant()
        point.method(i)
        point.prop
        point[i]
        point + point
        len(point)
        next(generator)
    for i, _ in zip(range(5000), generator):
        pass
    return generator


suspended = loop()


def send_all():
    for i in range(1000):
        suspended.send(i)


def inlined_for():
    total = 0
    for round in range(50):
        for item in (x for x in range(40)):
            total += item
    return total


send_all()
inlined_for()
try:
    suspended.throw(KeyError)
except KeyError:
    pass
