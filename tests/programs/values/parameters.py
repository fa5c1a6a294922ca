"""One function for each shape that a signature may have; what it is called with is known."""
# values
# may-be-cut: very_many very_many_named
# variants: --max-string 6 --max-items 2 --max-depth 1
# artefact: B
# artefact-functions: *
import sys


def nothing(): pass
def one(a): return a
def two(a, b): return b
def five(a, b, c, d, e): return e
def default(a=1): return a
def defaults(a, b=2, c="three", d=None): return d
def mutable_default(a=[]): a.append(len(a)); return a
def starred(*a): return a
def starred_behind(a, *rest): return rest
def starred_behind_default(a, b=2, *rest): return rest
def keywords(**k): return k
def keywords_behind(a, **k): return k
def keyword_only(*, a): return a
def keyword_only_default(*, a=1, b): return b
def keyword_only_behind_starred(*a, b, c=3): return c
def all_mixed(a, b=2, *c, d, e=5, **f): return f
def all_mixed_again(a, b=2, *args, d=4, e, **kwargs): return args
def unused(_, __): pass
def annotated(a: int, b: "str" = "b", *, c: list = None) -> int: return a
def self_alone(self): return self
def cls_alone(cls): return cls
def self_second(a, self): return self
def unicode_names(größe, Ω, 名, *ж, π=3): return größe
def names_like_ours(file, line, call, depth, arguments, kind): return kind
def odd_names(_a, __b, c__, D, l1lI): return D


def twenty(a01, a02, a03, a04, a05, a06, a07, a08, a09, a10,
           a11, a12, a13, a14, a15, a16, a17, a18, a19, a20):
    return a20


def nested_closure(a, b):
    def inner(c):
        return a + c
    return inner(b)


def only_a_cell(a):
    return lambda: a


def all_cells(a, b, *c, d, **e):
    return lambda: (a, b, c, d, e)


def starred_is_a_cell(*a):
    return lambda: a


def keywords_are_a_cell(**k):
    return lambda: k


def second_is_a_cell(a, b):
    return [b for _ in range(2)]


def free_variable():
    outside = 5

    def inner(a):
        return a + outside

    return inner(1)


def free_and_cell(a):
    def middle(b):
        def inner(c):
            return a + b + c
        return inner(3)
    return middle(2)


def written_in_closure(a):
    def write():
        nonlocal a
        a = 2
    write()
    return a


def cell_of_a_cell(a):
    return lambda: a


def rebound(a, b):
    a = b * 2
    return one(a)


def deleted(a, b):
    del a
    return one(b)


def rebound_cell(a):
    def inner():
        return a
    a = "new"
    return inner()


def deleted_cell(a):
    def inner():
        return a
    del a
    return inner


def replaced_starred(*a, **k):
    a = k = None
    return a


def recursive(n, path=()):
    return recursive(n - 1, path + (n,)) if n else path


def mutual(n):
    return mutual_other(n - 1, n=n) if n else 0


def mutual_other(m, *, n):
    return mutual(m)


def passes_on(*args, **kwargs):
    return all_mixed(*args, **kwargs)


def decorator(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


def decorator_with(a, *, b):
    def decorate(function):
        def wrapper(x):
            return function(x, b)
        return wrapper
    return decorate


@decorator
def decorated(a, b=2): return a


@decorator_with(1, b="b")
@decorator
def decorated_twice(a, b): return b


def generator(a, b=2):
    yield a
    yield b


def generator_of_cells(a, *rest):
    yield lambda: a
    yield from (each for each in rest if each != a)


def generator_rebinds(a):
    a = a + 1
    yield a


def generator_is_sent(a):
    while a is not None:
        a = yield a


def delegates(a, *, b):
    return (yield from generator(a, b))


async def asynchronous(a, *, b=2): return a
async def awaits(a, **k): return await asynchronous(a, b=k)


async def asynchronous_generator(a, *b):
    yield a
    for each in b:
        yield each


async def iterates(n):
    found = [each async for each in asynchronous_generator(n, n + 1)]
    async for each in asynchronous_generator(n):
        found.append(each)
    return found


class Base:
    attribute = 1

    def __init__(self, x, y=2):
        self.x = x
        self.y = y

    def method(self, a, *, b=1): return self
    def oddly_named(this, a): return this
    def starred(*args): return args
    def self_is_a_cell(self, a): return lambda: (self, a)
    def self_rebound(self, a): self = a; return one(self)
    @classmethod
    def of_class(cls, a, b=2): return cls
    @classmethod
    def cls_is_a_cell(cls, a): return lambda: (cls, a)
    @staticmethod
    def static(a): return a
    @staticmethod
    def static_self(self): return self
    @property
    def readable(self): return self.x
    @readable.setter
    def readable(self, value): self.x = value
    @readable.deleter
    def readable(self): self.x = None
    def __call__(self, *args, **kwargs): return kwargs
    def __getitem__(self, key): return key
    def __setitem__(self, key, value): pass
    def __contains__(self, item): return True
    def __add__(self, other): return other
    def __radd__(self, other): return other
    def __eq__(self, other): return NotImplemented
    def __hash__(self): return 7
    def __len__(self): return 3
    def __bool__(self): return False
    def __enter__(self): return self
    def __exit__(self, kind, error, traceback): return True
    def __getattr__(self, name): return name
    def __format__(self, how): return how
    def __iter__(self): yield self.x
    def __lt__(self, other): return True


class Derived(Base):
    def __init__(self, *args, z):
        super().__init__(*args)
        self.z = z

    def method(self, a, *, b=3):
        return super().method(a, b=b)

    @classmethod
    def of_class(cls, *args):
        return super().of_class(*args)


class Meta(type):
    def __new__(mcs, name, bases, namespace, **options):
        return super().__new__(mcs, name, bases, namespace)

    def __init__(cls, name, bases, namespace, **options):
        super().__init__(name, bases, namespace)

    def __call__(cls, *args):
        return super().__call__(*args)

    def of_meta(cls, a): return a


class Made(metaclass=Meta, option=5):
    def __new__(cls, *args):
        return super().__new__(cls)

    def __init__(self, a): self.a = a
    def __init_subclass__(cls, **options): super().__init_subclass__()
    def __set_name__(self, owner, name): pass
    @classmethod
    def __class_getitem__(cls, item): return item


class Descriptor:
    def __get__(self, instance, owner): return 5
    def __set__(self, instance, value): pass
    def __set_name__(self, owner, name): self.name = name


class WithDescriptor:
    described = Descriptor()

    class Inner:
        def method(self, a):
            class Local:
                def method(self, b): return self
            return Local().method(a)


def make_many(count, prefix=""):
    """A function with so many parameters, and another that has them keyword-only."""
    names = ", ".join("p%d" % number for number in range(count))
    namespace = {}
    exec(compile("def {1}many({0}): return p0\ndef {1}many_named(*, {0}): return p1\n".format(
        names, prefix), __file__, "exec"), namespace)
    return namespace[prefix + "many"], namespace[prefix + "many_named"]


def since_3_8():
    """Positional-only parameters: syntax that older versions don't have."""
    namespace = {}
    source = (
        "def positional_only(a, b, /): return b\n"
        "def positional_only_default(a, b=2, /, c=3, *, d=4): return d\n"
        "def positional_only_and_keywords(a, /, **k): return k\n"
        "def positional_only_all(a, b=2, /, c=3, *d, e, f=6, **g): return g\n"
        "def positional_only_cell(a, /, b): return lambda: a\n"
    )
    exec(compile(source, __file__, "exec"), namespace)
    namespace["positional_only"](1, "two")
    namespace["positional_only_default"](1)
    namespace["positional_only_default"](1, 5, c=6)
    namespace["positional_only_and_keywords"](1, a=2, k=3)
    namespace["positional_only_all"](1, 2, 3, 4, 5, e=6, g=7, a=8)
    namespace["positional_only_cell"]([1], b=2)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def call_functions():
    nothing()
    one(1); one(a="keyword")
    two(1, 2); two(b=1, a=2); two(*[3, 4]); two(**{"b": 5, "a": 6})
    five(1, 2.5, "three", None, True)
    default(); default(2); default(a=3)
    defaults(1); defaults(1, c=3); defaults(1, 2, 3, 4)
    mutable_default(); mutable_default(); mutable_default([])
    starred(); starred(1); starred(1, 2, 3); starred(*range(12))
    starred_behind(1); starred_behind(1, 2, 3)
    starred_behind_default(1); starred_behind_default(1, 2, 3)
    keywords(); keywords(x=1); keywords(z=1, a=2, m=3)
    keywords_behind(1); keywords_behind(1, b=2)
    keyword_only(a=1); keyword_only_default(b=2); keyword_only_default(b=2, a=3)
    keyword_only_behind_starred(b=1); keyword_only_behind_starred(1, 2, b=3, c=4)
    all_mixed(1, d=4); all_mixed(1, 2, 3, 4, d=5, e=6, g=7, h=8)
    all_mixed_again(1, e=5); all_mixed_again(1, 2, 3, e=5, z=6)
    unused(1, 2); annotated(1); annotated(1, "2", c=[3])
    self_alone(5); cls_alone(6); cls_alone(int); self_alone(int); self_second(1, 2)
    unicode_names(1, 2, 3, 4, π="pi")
    names_like_ours("f", 1, 2, 3, {}, None); odd_names(1, 2, 3, 4, 5)
    twenty(*range(20))
    nested_closure(1, 2); only_a_cell("a")(); all_cells(1, [2], 3, 4, d=5, f=6)()
    starred_is_a_cell(1, 2)(); keywords_are_a_cell(a=1)(); second_is_a_cell(1, "b")
    free_variable(); free_and_cell(1); written_in_closure(1)
    one(only_a_cell(5).__closure__[0]); cell_of_a_cell(only_a_cell(5).__closure__[0])
    rebound(1, "b"); deleted([1], 2); rebound_cell("old"); deleted_cell(1)
    replaced_starred(1, b=2); recursive(4); mutual(4); passes_on(1, d=2, x=3)
    decorated(1); decorated(a=1, b=3); decorated_twice(1)
    for count, prefix in ((70, ""), (250, "very_")):
        many, many_named = make_many(count, prefix)
        many(*range(count))
        many_named(**{"p%d" % number: number for number in range(count)})
    if sys.version_info >= (3, 8):
        since_3_8()


def call_generators():
    list(generator(1)); list(generator("a", b="b"))
    for each in generator_of_cells(1, 2, 3):
        one(each)
    list(generator_rebinds(1))
    sent = generator_is_sent(1)
    next(sent); sent.send("sent"); sent.send([1, 2])
    try:
        sent.send(None)
    except StopIteration:
        pass
    list(delegates(1, b=2))
    run(asynchronous(1)); run(awaits(2, x=3)); run(iterates(4))


def call_methods():
    base, derived = Base(1), Derived(1, 2, z=3)
    for thing in (base, derived):
        thing.method(1); thing.method(1, b=2); thing.oddly_named(1); thing.starred(1)
        thing.self_is_a_cell(1)(); thing.self_rebound(1); thing.of_class(1); thing.static(1)
        thing.cls_is_a_cell(1)(); thing.static_self(1); thing.readable
        thing.readable = 4
        del thing.readable
        thing(1, k=2); thing[1:2]; thing["k"] = "v"; 5 in thing; thing + 1; 1 + thing
        thing == 2; hash(thing); len(thing); bool(thing); thing.absent; format(thing, "how")
        list(thing); thing < 3
        with thing as entered:
            one(entered)
            raise ValueError("swallowed")
    Base.method(base, 1); Base.of_class(5); Derived.of_class("a"); Base.static([1])
    Made(1); Made.of_meta(2); Made.__class_getitem__(int)
    type("Sub", (Made,), {"x": 1}, option=1)
    described = WithDescriptor()
    described.described
    described.described = 6
    WithDescriptor.Inner().method(7)


def call_others():
    (lambda: 0)(); (lambda x: x)(1); (lambda x, *y, z=3, **k: z)(1, 2, k=4)
    sorted([3, 1, 2], key=lambda item: -item)
    list(map(lambda a, b: a, [1, 2], "ab"))
    [x for x in (1, 2)]; {x for x in "a"}; {k: v for k, v in {"a": 1}.items()}
    [[y for y in x] for x in [[1], [2]]]
    list(x for x in [1, 2]); sum(x * y for x in range(3) for y in [1, 2]); any(x for x in {})
    eval("one(5)", globals())


call_functions()
call_generators()
call_methods()
call_others()
