def greet(i):
    return helper(i)


def helper(i):
    return i
