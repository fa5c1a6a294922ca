"""What a value looks like in a trace: the text that pytrace must have made of it.

Written from the texts that are promised, not from pytrace's code. For CPython 3.6 and later. It
runs inside the program that is looked at and calls none of its code: no `repr`, no attribute that
a class may define. Text that is the interpreter's own comes from the built-in types themselves.
"""

import ctypes
import math
import pathlib
import re

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
HEAD = object.__basicsize__  # of PyObject: 16, or 32 in free-threaded builds
TP_NAME = HEAD + 8  # offset of PyTypeObject.tp_name
# PyMemberDescrObject.d_member, PyMemberDef.type.
D_MEMBER, MEMBER_TYPE, T_OBJECT_EX = HEAD + 24, 8, 16
EXACT_BITS = 270  # integers of more are not captured whole
TOP_BITS = 90  # what is captured of those
SLOTS_SHOWN = 8
CUT = "\u2026"

# What pytrace does by itself.
DEFAULT_STRING, DEFAULT_ITEMS, DEFAULT_DEPTH = 80, 3, 2
REDACT = (
    r"(?i)passwords?|passwd|passphrase|credential|authorization|cookie"
    r"|(?:api|access|private|secret)[_-]?key|session[_-]?(?:id|key)"
    r"|(?:^|[^a-z])(?:secrets?|pwd|jwt|bearer)(?:$|[^a-z])"
    r"|(?-i:[a-z0-9](?:Secrets?|Pwd|Jwt)(?:$|[^a-z]))"
    r"|(?:^|[^a-z])(?:token|auth)$"
    r"|(?-i:[a-z0-9](?:Token|Auth)$)"
)

type_flags = type.__dict__["__flags__"].__get__
type_qualname = type.__dict__["__qualname__"].__get__

Function = type(lambda: None)
Builtin = type(len)
Module = type(math)
GetSet = type(type.__dict__["__dict__"])
Member = type(Function.__dict__["__globals__"])
Method = type(re.compile.__get__(0))
# What an asynchronous generator's yield gives to the evaluator: the value, in an object of this type.
WRAPPED = "async_generator_wrapped_value"
WRAPPED_VALUE = HEAD  # offset of _PyAsyncGenWrappedValue.agw_val


def type_mro(cls):
    """The type and its bases; those that C forgot to finish know only themselves."""
    return type.__dict__["__mro__"].__get__(cls) or (cls,)


def type_dict(cls):
    """What the class itself defines."""
    return type.__dict__["__dict__"].__get__(cls) or {}


class Limits:
    """How much of a value is shown."""

    def __init__(
        self, string=DEFAULT_STRING, items=DEFAULT_ITEMS, depth=DEFAULT_DEPTH, redact=REDACT
    ):
        self.string = string  # characters, or bytes
        self.items = items  # of a container; attributes
        self.depth = depth  # containers within each other that are looked into
        self.redact = redact and re.compile(redact)

    def hides(self, name):
        """Whether what has this name is not to be shown."""
        return bool(self.redact and self.redact.search(name))


def describe(value, limits):
    """The text of an argument or result."""
    return Describer(limits).text(value, 0, root=True)


def describe_argument(name, is_first, value, limits):
    """The text of the argument of that parameter."""
    if limits.hides(name):
        return "<redacted>"
    if is_first and name in ("self", "cls"):
        cls = value if name == "cls" and is_a(value, type) else type(value)
        return "<%s>" % short_type_name(cls)
    return describe(value, limits)


def describe_exception(error, limits):
    """What the trace tells of the exception that an activation was left by."""
    found = {"exception": tp_name(type(error))}
    arguments = exception_arguments(error)
    if tuple.__len__(arguments) == 1 and is_a(arguments[0], str):
        text = str.__str__(arguments[0])
        cut = str.__len__(text) > limits.string
        shown = map(shown_character, str.__getitem__(text, slice(limits.string)))
        found["message"] = "".join(shown) + (CUT if cut else "")
    return found


def shown_character(character):
    """The character, or an escape where it can't be shown."""
    return character if character.isprintable() else repr(character)[1:-1]


def is_a(value, cls):
    """`isinstance`, but without asking the value for its `__class__`. `cls` is a built-in type."""
    return issubclass(type(value), cls)


def exception_arguments(error):
    return BaseException.__dict__["args"].__get__(error)


def tp_name(cls):
    """The name that C knows a type by: of those made by `class`, without anything before it."""
    address = ctypes.c_char_p.from_address(id(cls) + TP_NAME)
    return address.value.decode("utf-8", "replace")


def is_heap_type(cls):
    return bool(type_flags(cls) & HEAP_TYPE)


def type_name(cls):
    """`module.qualname`, the module left out where it goes without saying."""
    if not is_heap_type(cls):
        return tp_name(cls)
    module = type_dict(cls).get("__module__")
    name = type_qualname(cls)
    if type(module) is not str or module in ("builtins", "__main__"):
        return name
    return "%s.%s" % (module, name)


def short_type_name(cls):
    """The qualified name without the module."""
    return type_qualname(cls) if is_heap_type(cls) else tp_name(cls).rpartition(".")[2]


def is_enumeration(cls):
    """Whether the metaclass is enum's."""
    return any(
        type_qualname(meta) in ("EnumMeta", "EnumType")
        and type_dict(meta).get("__module__") == "enum"
        for meta in type_mro(type(cls))
    )


def instance_dict(value):
    """The object's `__dict__`, or None."""
    for base in type_mro(type(value)):
        found = type_dict(base).get("__dict__")
        if type(found) is GetSet:
            try:
                return found.__get__(value)
            except AttributeError:
                return None
    return None


def slots(cls):
    """The members that `__slots__` made, its own first, then its bases'."""
    for base in type_mro(cls):
        if not is_heap_type(base):
            return
        for name, member in type_dict(base).items():
            if type(member) is Member and member.__objclass__ is base and is_slot(member):
                yield name, member


def is_slot(member):
    """Whether it holds an object, as `__slots__` do; those of C's types may be numbers."""
    definition = ctypes.c_void_p.from_address(id(member) + D_MEMBER).value
    return ctypes.c_int.from_address(definition + MEMBER_TYPE).value == T_OBJECT_EX


def integer(value):
    """The text of an int, or of one of a subclass."""
    bits = int.bit_length(value)
    if bits <= EXACT_BITS:
        return int.__repr__(value)
    below = -(-bits // 30) * 30 - TOP_BITS
    log = math.log10(int.__abs__(value) >> below) + below * math.log10(2)
    about = abs(log - round(log)) < 1e-9
    digits = (round(log) if about else math.floor(log)) + 1
    kind = "negative int" if int.__lt__(value, 0) else "int"
    return "<%s of %s%d digits>" % (kind, "about " if about else "", digits)


def module_name(namespace):
    """The name that a module was made with, as `repr()` has it: _pydecimal calls itself decimal later."""
    name, spec = namespace["__name__"], namespace.get("__spec__")
    return name if spec is None or name == "__main__" else spec.name


class Describer:
    """Texts of values, within limits."""

    # What is around the items: of containers whose type goes without saying, nested ones, and as
    # they are when their type is named.
    BRACKETS = {
        list: ("[", "]", "[", "]"),
        tuple: ("(", ")", "(", ")"),
        dict: ("{", "}", "{", "}"),
        set: ("{", "}", "{", "}"),
        frozenset: ("frozenset({", "})", "{", "}"),
    }

    def __init__(self, limits):
        self.limits = limits

    def text(self, value, level, root=False):
        """The text of a value that lies so deep in others; `root`: in none."""
        cls = type(value)
        if not is_heap_type(cls) and tp_name(cls) == WRAPPED:
            wrapped = ctypes.py_object.from_address(id(value) + WRAPPED_VALUE)
            return self.text(wrapped.value, level, root)
        if is_enumeration(cls):
            return self.member(value, level)
        for base, method in METHODS:
            if issubclass(cls, base):
                return method(self, value, level, root)
        return self.instance(value, level)

    def singleton(self, value, level, root=False):
        return "None" if value is None else bool.__repr__(value)

    def integer(self, value, level, root=False):
        return integer(value)

    def float(self, value, level, root=False):
        return float.__repr__(value)

    def complex(self, value, level, root=False):
        return complex.__repr__(value)

    def str(self, value, level, root=False):
        length = str.__len__(value)
        if length <= self.limits.string:
            return str.__repr__(value)
        shown = str.__repr__(str.__getitem__(value, slice(self.limits.string)))
        return "str[%d] %s%s%s" % (length, shown[:-1], CUT, shown[-1])

    def bytes(self, value, level, root=False):
        length = bytes.__len__(value)
        if length <= self.limits.string:
            return bytes.__repr__(value)
        shown = bytes.__repr__(bytes.__getitem__(value, slice(self.limits.string)))
        return "bytes[%d] %s%s%s" % (length, shown[:-1], CUT, shown[-1])

    def bytearray(self, value, level, root=False):
        length = bytearray.__len__(value)
        shown = bytes.__repr__(bytes(bytearray.__getitem__(value, slice(self.limits.string))))
        if length <= self.limits.string:
            return "bytearray(%s)" % shown
        return "bytearray[%d] %s%s%s" % (length, shown[:-1], CUT, shown[-1])

    def container(self, base, value, level, root):
        """The text of a built-in container or one derived from it."""
        cls = type(value)
        length = base.__len__(value)
        items = self.items(base, value, level) if level < self.limits.depth else None
        whole = length == 0 or items is not None and length <= self.limits.items
        shown = ", ".join(items or [])
        if not whole:
            shown += (", " if items else "") + CUT
        elif base is tuple and length == 1:
            shown += ","
        opening, closing, named_opening, named_closing = self.BRACKETS[base]
        if root or not whole or cls is not base:
            name = short_type_name(cls)
            return "%s[%d] %s%s%s" % (name, length, named_opening, shown, named_closing)
        if length == 0 and base in (set, frozenset):
            return base.__name__ + "()"
        return opening + shown + closing

    def items(self, base, value, level):
        """The texts of the first items."""
        shown = []
        if base is dict:
            for key, item in dict.items(value):
                if len(shown) == self.limits.items:
                    break
                hidden = is_a(key, str) and self.limits.hides(str.__str__(key))
                text = "<redacted>" if hidden else self.text(item, level + 1)
                shown.append("%s: %s" % (self.text(key, level + 1), text))
            return shown
        for item in base.__iter__(value):
            if len(shown) == self.limits.items:
                break
            shown.append(self.text(item, level + 1))
        return shown

    def list(self, value, level, root=False):
        return self.container(list, value, level, root)

    def tuple(self, value, level, root=False):
        return self.container(tuple, value, level, root)

    def dict(self, value, level, root=False):
        return self.container(dict, value, level, root)

    def set(self, value, level, root=False):
        return self.container(set, value, level, root)

    def frozenset(self, value, level, root=False):
        return self.container(frozenset, value, level, root)

    def range(self, value, level, root=False):
        parts = [value.start, value.stop] + ([value.step] if value.step != 1 else [])
        return "range(%s)" % ", ".join(map(integer, parts))

    def slice(self, value, level, root=False):
        parts = (self.text(part, level) for part in (value.start, value.stop, value.step))
        return "slice(%s)" % ", ".join(parts)

    def type(self, value, level, root=False):
        return "<class '%s'>" % type_name(value)

    def function(self, value, level, root=False):
        return "<function %s>" % Function.__dict__["__qualname__"].__get__(value)

    def method(self, value, level, root=False):
        function = Method.__dict__["__func__"].__get__(value)
        if type(function) is Function:
            name = Function.__dict__["__qualname__"].__get__(function)
            return "<bound method %s>" % name
        return "<bound method>"

    def builtin(self, value, level, root=False):
        return "<built-in function %s>" % Builtin.__dict__["__name__"].__get__(value)

    def module(self, value, level, root=False):
        return "<module '%s'>" % module_name(Module.__dict__["__dict__"].__get__(value))

    def exception(self, value, level, root=False):
        arguments = exception_arguments(value)
        length = tuple.__len__(arguments)
        if length and level >= self.limits.depth:
            return "%s(%s)" % (type_name(type(value)), CUT)
        shown = self.items(tuple, arguments, level)
        if length > self.limits.items:
            shown.append(CUT)
        return "%s(%s)" % (type_name(type(value)), ", ".join(shown))

    def member(self, value, level, root=False):
        """The text of a member of an enumeration."""
        name = instance_dict(value).get("_name_") if level < self.limits.depth else None
        cls = type(value)
        # As its own str has it: without the class that its class is in.
        own = type_qualname(cls).rpartition(".")[2]
        return "%s.%s" % (own, name) if name else self.instance(value, level)

    def instance(self, value, level, root=False):
        """The text of any other object: with its attributes, but not too deep."""
        cls = type(value)
        name = type_name(cls)
        for base in type_mro(cls):
            # The program may have another than ours: from 3.12 on, each import makes one.
            if tp_name(base) == "collections.deque":
                return "%s[%d]" % (short_type_name(cls), base.__len__(value))
        if name.startswith("pathlib.") and "Path" in name:
            return self.path(value, name)
        if level >= self.limits.depth:
            return "<%s>" % name
        attributes = instance_dict(value)
        others = list(slots(cls))[0 if attributes is not None else SLOTS_SHOWN:]
        if attributes is not None:
            pairs = list(dict.items(attributes))
        else:
            pairs = []
            for attribute, member in list(slots(cls))[:SLOTS_SHOWN]:
                try:
                    pairs.append((attribute, member.__get__(value)))
                except AttributeError:
                    pass
        shown = []
        for attribute, held in pairs[:self.limits.items]:
            hidden = self.limits.hides(attribute)
            text = "<redacted>" if hidden else self.text(held, level + 1)
            shown.append(" %s=%s" % (attribute, text))
        if others or len(pairs) > self.limits.items:
            shown.append(" " + CUT)
        return "<%s%s>" % (name, "".join(shown))

    def path(self, value, name):
        """The text of a path of pathlib's; its own `__str__` would change it."""
        members = dict(slots(type(value)))

        def part(member):
            try:
                return members[member].__get__(value)
            except (AttributeError, KeyError):
                return None

        raw, parts = part("_raw_paths"), part("_parts")
        if raw is not None:  # 3.12 and later
            text = str(pathlib.PurePosixPath(*raw))
        elif parts is not None:
            anchor = part("_drv") + part("_root")
            text = anchor + "/".join(parts[1:] if anchor else parts) or "."
        else:
            return "<%s>" % name
        return "%s(%s)" % (type_qualname(type(value)), str.__repr__(text))


# In this order: a bool is an int as well.
METHODS = [
    (type(None), Describer.singleton),
    (bool, Describer.singleton),
    (int, Describer.integer),
    (float, Describer.float),
    (complex, Describer.complex),
    (str, Describer.str),
    (bytes, Describer.bytes),
    (bytearray, Describer.bytearray),
    (list, Describer.list),
    (tuple, Describer.tuple),
    (dict, Describer.dict),
    (set, Describer.set),
    (frozenset, Describer.frozenset),
    (range, Describer.range),
    (slice, Describer.slice),
    (type, Describer.type),
    (Function, Describer.function),
    (Method, Describer.method),
    (Builtin, Describer.builtin),
    (Module, Describer.module),
    (BaseException, Describer.exception),
]
