"""Containers that some threads change while others hand them over.

What is in them can be told: of each container only such items as are put into it. What is recorded is
that, or says that it was changed meanwhile. Other objects of the same sizes come and go all the time,
in whose memory a stale reference may end.
"""
# oracle: counts
# alone
# since: 3.8
import json
import os
import threading

TAKERS, ROUNDS = 2, 1000
stop = threading.Event()
threading.excepthook = lambda error: os._exit(70)  # no thread ends before its time
ITEM = r"'(?:item-\d+|…)'"
PAIR = r"'key-\d+': " + ITEM


class Box:
    def __init__(self):
        self.first = self.second = item(0)


class Slots:
    __slots__ = ("left", "right")

    def __init__(self):
        self.left = self.right = item(0)


def item(number):
    return "item-%d" % (100000000 + number)


def key(number):
    return "key-%d" % (100000000 + number)


numbers, names, members = [], {}, set()
box, slots, text = Box(), Slots(), bytearray(b"item")


def take_list(shared): pass
def take_dict(shared): pass
def take_set(shared): pass
def take_box(shared): pass
def take_slots(shared): pass
def take_bytes(shared): pass


def change(seed):
    number = seed
    while not stop.is_set():
        number += 2
        numbers.append(item(number))
        if len(numbers) > 5:
            try:
                del numbers[0]
            except IndexError:  # the other has cleared it
                pass
        if number % 64 == 0:
            numbers.clear()
        names[key(number)] = item(number)
        if len(names) > 4:
            names.pop(next(iter(list(names)), None), None)
        members.add(item(number))
        if len(members) > 3:
            members.clear()
        box.first, box.second = item(number), item(number + 1)
        if number % 128 == 0:
            box.__dict__
        slots.left, slots.right = item(number), item(number + 1)
        text.extend(b"item" * (number % 9))
        if len(text) > 400:
            text.clear()
        noise = ["wrong-%d" % number for _ in range(8)]  # of the same size
        del noise


def hand_over():
    for _ in range(ROUNDS):
        take_list(numbers)
        take_dict(names)
        take_set(members)
        take_box(box)
        take_slots(slots)
        take_bytes(text)


changers = [threading.Thread(target=change, args=(seed,)) for seed in range(2)]
takers = [threading.Thread(target=hand_over) for _ in range(TAKERS)]
for thread in changers + takers:
    thread.start()
for thread in takers:
    thread.join()
stop.set()
for thread in changers:
    thread.join()


def items_in(opening, closing, one):
    return r"%s(?:|(?:%s)(?:, (?:%s))*(?:, …)?|…)%s" % (opening, one, one, closing)


ATTRIBUTES = r"(?: (?:first|second|left|right)=%s)*(?: …)?" % ITEM
MATCHING = {
    "take_list": r"list\[\d+\] (?:<changed>|%s)" % items_in(r"\[", r"\]", ITEM),
    "take_dict": r"dict\[\d+\] (?:<changed>|%s)" % items_in(r"\{", r"\}", PAIR),
    "take_set": r"set\[\d+\] (?:<changed>|%s)" % items_in(r"\{", r"\}", ITEM),
    "take_box": r"<Box(?: <changed>|%s)>" % ATTRIBUTES,
    "take_slots": r"<Slots(?: <changed>|%s)>" % ATTRIBUTES,
    "take_bytes": r"bytearray(?:\[\d+\] (?:<changed>|b'(?:item)*(?:i|it|ite)?…')|\(b'(?:item)*'\))",
}
if "PYTRACE_COUNTS" in os.environ:
    expected = dict.fromkeys(MATCHING, TAKERS * ROUNDS)
    with open(os.environ["PYTRACE_COUNTS"], "w") as file:
        json.dump({"counts": expected, "matching": MATCHING}, file)
