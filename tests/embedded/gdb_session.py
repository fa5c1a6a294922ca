"""A session of gdb's with list.c: a command in Python, which recurses; a pretty-printer, whose
children come from a generator; and a handler of an event.

    gdb -nx -batch -x gdb_session.py PROGRAM
"""

import gdb

import truth


class PointPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "point"

    def children(self):
        for field in self.value.type.fields():
            yield field.name, self.value[field.name]


def printer_of(value):
    return PointPrinter(value) if value.type.strip_typedefs().tag == "point" else None


def length(node):
    return 0 if not node else 1 + length(node["next"])


class Walk(gdb.Command):
    """Says how long a list is."""

    def __init__(self):
        super().__init__("walk", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        node = gdb.parse_and_eval(argument)
        print("length", length(node))
        while node:
            gdb.execute("print *(struct node *) %d" % int(node), to_string=True)
            node = node["next"]


def stopped(event):
    return event.breakpoints[0].number


def session():
    gdb.pretty_printers.append(printer_of)
    gdb.events.stop.connect(stopped)
    Walk()
    gdb.execute("break stop")
    gdb.execute("run", to_string=True)
    gdb.execute("walk list")
    gdb.execute("print *list")


truth.begin(session.__code__.co_filename)
session()
truth.end()
