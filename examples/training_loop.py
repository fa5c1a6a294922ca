#!/usr/bin/env python3
"""A training loop in miniature, to try pytrace on: pytrace examples/training_loop.py

Nothing is learnt to any purpose. What matters is the shape of the calls: steps repeat within
epochs, layers within steps, adapters within layers, and a second thread writes the log.
"""

import argparse
import operator
import queue
import random
import statistics
import threading

LAYERS = 6
ADAPTERS = ("math", "code")
BATCHES = 3


class Adapter:
    """A small correction to its layer, for one kind of task."""

    def __init__(self, name, weight):
        self.name = name
        self.weight = weight

    def forward(self, values):
        return [value * self.weight for value in values]


class Layer:
    def __init__(self, index):
        self.index = index
        self.scale = 1.0 / (index + 1)
        self.adapters = [Adapter(name, self.scale / 10) for name in ADAPTERS]

    def attention(self, values):
        mean = statistics.fmean(values)
        return [mean + self.scale * (value - mean) for value in values]

    def forward(self, values):
        values = self.attention(values)
        for adapter in self.adapters:
            values = list(map(operator.add, values, adapter.forward(values)))
        return values


class Model:
    def __init__(self, layers):
        self.layers = [Layer(index) for index in range(layers)]

    def __call__(self, values):
        for layer in self.layers:
            values = layer.forward(values)
        return values


class Logger:
    """Takes messages from the training thread and keeps them, in a thread of its own."""

    def __init__(self):
        self.lines = []
        self.messages = queue.Queue()
        self.thread = threading.Thread(target=self.run, name="logger")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.messages.put(None)
        self.thread.join()

    def run(self):
        for message in iter(self.messages.get, None):
            self.write(message)

    def write(self, message):
        self.lines.append(message)


class Diverged(Exception):
    """The loss is not a number that training could go on from."""


def load_batches(count, size=4, seed=7):
    """Yields the batches of one epoch; the last one is damaged."""
    source = random.Random(seed)
    for index in range(count):
        damaged = index == count - 1
        yield [source.uniform(-1, 1) if not damaged else float("nan") for _ in range(size)]


def loss_of(values):
    loss = statistics.fmean(abs(value) for value in values)
    if loss != loss:
        raise Diverged("the loss is not a number")
    return loss


def train_step(model, batch):
    return loss_of(model(batch))


def evaluate(model):
    return statistics.median(loss_of(model([x / 2, x])) for x in (0.25, 0.5))


def train(model, epochs, logger):
    step = skipped = 0
    for epoch in range(epochs):
        for batch in load_batches(BATCHES):
            step += 1
            try:
                loss = train_step(model, batch)
                logger.messages.put(f"step {step}: loss {loss:.4f}")
            except Diverged:
                skipped += 1
        logger.messages.put(f"epoch {epoch}: evaluation {evaluate(model):.4f}")
    return step, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2, help="default: 2")
    options = parser.parse_args()

    model = Model(LAYERS)
    with Logger() as logger:
        steps, skipped = train(model, options.epochs, logger)
    print(f"{options.epochs} epochs, {steps} steps, {skipped} skipped")
    print(f"first: {logger.lines[0]}")
    print(f"last:  {logger.lines[-1]}")


if __name__ == "__main__":
    main()
