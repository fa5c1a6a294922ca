"""Threads that make classes and code, use them and let them go: addresses are another's soon."""
# values
import gc
import threading

gc.disable()  # it would run finalizers in whatever thread
THREADS, ROUNDS = 4, 40


def take(thing):
    return thing


def make_class(name):
    return type(name, (), {"__module__": "made", "__slots__": ("x",)})


def make_function(name, number):
    space = {}
    exec(compile("def %s(x): return x + %d" % (name, number), __file__, "exec"), space)
    return space[name]


def use(name, number):
    thing = make_class("Class" + name)()
    thing.x = name
    take(thing)
    function = make_function("function" + name, number)
    return function(number)


def work(thread):
    for number in range(ROUNDS):
        use("_%d_%d" % (thread, number), number)
        if number % 10 == 9:
            gc.collect(0)


threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
