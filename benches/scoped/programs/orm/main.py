"""Sells things to customers, in a database in memory: 100 orders, after 10 of warm-up.

main.py FILE  writes the seconds and the processor's seconds that the 100 took to FILE.
"""

import sys
import time

from shop import Base, best_customers, invoice, open_shop, place_order
from sqlalchemy import create_engine
from sqlalchemy.orm import Session


def trade(engine, days):
    for day in range(days):
        customer = day % 20 + 1
        with Session(engine) as session:
            place_order(session, customer, {(day + step) % 30 + 1: step + 1 for step in range(4)})
        with Session(engine) as session:
            invoice(session, customer)
            if day % 10 == 0:
                best_customers(session, 5)


engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
with Session(engine) as session:
    open_shop(session)
trade(engine, 10)
start = time.perf_counter(), time.process_time()
trade(engine, 100)
end = time.perf_counter(), time.process_time()
with open(sys.argv[1], "w") as file:
    print(end[0] - start[0], end[1] - start[1], file=file)
