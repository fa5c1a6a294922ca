"""Generators delegating to each other, nearly as deep as the recursion limit allows."""
# artefact: B
# artefact-functions: descend


def descend(depth):
    if depth:
        yield from descend(depth - 1)
    yield depth


def run():
    total = 0
    for item in descend(900):
        total += item
        if item > 40:
            break
    return total


print(run())
