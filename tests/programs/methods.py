"""Methods of every kind: bound, class, static, property, special, descriptor, metaclass."""


class Meta(type):
    def __new__(mcs, name, bases, namespace):
        return super().__new__(mcs, name, bases, dict(namespace))

    def __init__(cls, name, bases, namespace):
        super().__init__(name, bases, namespace)

    def __call__(cls, *args):
        return super().__call__(*args)

    @classmethod
    def __prepare__(mcs, name, bases):
        return {}

    def __instancecheck__(cls, instance):
        return True


class Descriptor:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, instance, owner):
        return self if instance is None else getattr(instance, self.name, 0)

    def __set__(self, instance, value):
        setattr(instance, self.name, value)


class Base(metaclass=Meta):
    field = Descriptor()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)

    def __init__(self, value):
        self.value = value

    def overridden(self):
        return "base"


class Thing(Base):
    def __init__(self, value):
        super().__init__(value)

    def overridden(self):
        return "thing of " + super().overridden()

    @property
    def double(self):
        return self.value * 2

    @double.setter
    def double(self, value):
        self.value = value // 2

    @double.deleter
    def double(self):
        self.value = 0

    @classmethod
    def make(cls):
        return cls(1)

    @staticmethod
    def free(x):
        return x

    def __getattr__(self, name):
        if name.startswith("missing"):
            return name
        raise AttributeError(name)

    def __getitem__(self, key):
        if key >= 5:
            raise IndexError(key)
        return key

    def __len__(self):
        return 5

    def __contains__(self, item):
        return item == 3

    def __iter__(self):
        return iter(range(3))

    def __call__(self, *args):
        return args

    def __add__(self, other):
        return NotImplemented

    def __radd__(self, other):
        return other

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 7

    def __lt__(self, other):
        return self.value < other.value

    def __repr__(self):
        return "Thing(%r)" % self.value

    def __str__(self):
        return "thing"

    def __format__(self, spec):
        return spec

    def __bool__(self):
        return False

    def __index__(self):
        return 2

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        return kind is KeyError

    def __setitem__(self, key, value):
        self.value = value

    def __delitem__(self, key):
        self.value = None


class Slotted:
    __slots__ = ("x",)

    def __new__(cls, x):
        self = super().__new__(cls)
        self.x = x
        return self

    def get(self):
        return self.x


thing = Thing(3)
for _ in range(20):
    thing.double = thing.double
    thing.overridden()
    Thing.make().free(4)
    thing.field = thing.field + 1
    thing.missing_one
    assert not hasattr(thing, "absent")
    assert thing[1] == 1 and 3 in thing and len(thing) == 5
    assert list(reversed(thing)) == [4, 3, 2, 1, 0]
    assert [*thing] == [0, 1, 2]
    assert thing(1, 2) == (1, 2)
    assert thing + thing is thing if False else (1 + thing) == 1
    assert thing == thing and thing != 3 and {thing: 1}[thing] == 1
    assert sorted([thing, Thing(1)])[0].value == 1
    assert "%r %s %s" % (thing, thing, format(thing, "x")) and f"{thing:>3}{thing!r}"
    assert not thing and [0, 1, 2][thing] == 2
    with thing as entered:
        raise KeyError
    with thing, Thing(2):
        pass
    thing[0] = 3
    assert Slotted(4).get() == 4
    assert isinstance(3, Base)
del thing.double, thing[0]
