"""What `class` and `with` statements call of a library's, and properties: by no instruction that calls."""
# since: 3.8
# variants: --no-external-calls
import abc
import contextlib
import enum
import inspect
import ipaddress
import pathlib
import tempfile


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        pass


class Square(Shape):
    def area(self):
        return 4


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Permission(enum.IntFlag):
    READ = 4
    WRITE = 2


@contextlib.contextmanager
def opened(name):
    yield name


def statements():
    with opened("a") as name, contextlib.suppress(KeyError):
        {}[name]
    with contextlib.closing(tempfile.SpooledTemporaryFile()) as file:
        file.write(b"x")
    with contextlib.ExitStack() as stack:
        stack.enter_context(opened("b"))


def function(a, *, b=1):
    return a, b


def parameters():
    # The library has read these properties before.
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


def properties(path):
    address = ipaddress.ip_address("10.0.0.1")
    return path.name, path.suffix, path.parent, path.parts, address.is_private, address.packed


def main():
    Square().area()
    for _ in range(3):
        statements()
        parameters()
        properties(pathlib.PurePosixPath("/a/b.txt"))


main()
