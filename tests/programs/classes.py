"""Class bodies, nested and in functions; `__init__` through class calls, one and two levels, hot."""


class Outer:
    x = [i for i in range(3)]

    class Inner:
        y = {i: i for i in range(2)}

        def method(self):
            return self.y

    def make(self):
        class Local(Outer.Inner):
            def method(self):
                return super().method()

        return Local()


class One:
    def __init__(self, a, b=2):
        self.a, self.b = a, b


class Two(One):
    def __init__(self, a):
        super().__init__(a)


class Failing:
    def __init__(self, fails):
        if fails:
            raise ValueError


class Plain:
    pass


def build():
    for i in range(2000):
        One(i)
        Two(i)
        Plain()


def build_failing():
    for i in range(500):
        try:
            Failing(i % 3 == 0)
        except ValueError:
            pass


Outer().make().method()
Outer.Inner().method()
build()
build_failing()
type("Dynamic", (One,), {"late": lambda self: self.a})(1).late()
try:
    class Broken:
        1 / 0
except ZeroDivisionError:
    pass
