"""Long names, names in other scripts, and many functions of one name."""


def ünïcödé(größe):
    return größe


class Класс:
    def метод(self):
        return 変数(1)


def 変数(x):
    return x


def make(name):
    namespace = {}
    exec(compile("def %s(): return 1" % name, __file__, "exec"), namespace)
    return namespace[name]


def variants():
    found = []
    for i in range(10):
        def same():
            return i

        found.append(same)
    return found


for _ in range(10):
    ünïcödé(1)
    Класс().метод()
    make("n" * 300)()
    make("ж" * 200)()
    make("m" * 5000)()
    for function in variants():
        function()
    (lambda: None)(), (lambda: (lambda: 1)())()
