"""Several threads with values of their own."""
# values
import threading


def work(name, *, count):
    return [step(name, number) for number in range(count)]


def step(name, number):
    if number % 5 == 4:
        return fail_safely(name, number)
    return {name: number}


def fail_safely(name, number):
    try:
        fail(name, number)
    except ValueError as error:
        return error.args


def fail(name, number):
    raise ValueError(name, number) if number % 2 else ValueError(name)


threads = [threading.Thread(target=work, args=(name,), kwargs={"count": 20}) for name in ("one",
                                                                                          "two",
                                                                                          "three")]
for thread in threads:
    thread.start()
    thread.join()
