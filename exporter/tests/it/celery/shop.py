"""A Celery application for the tests, and what sends its tasks.

    python shop.py COMMAND...    sends tasks: see `commands`
    celery -A shop worker ...    runs them
    BEAT=1 celery -A shop beat   sends one each second
"""

import os
import sys
import time

from celery import Celery
from celery.exceptions import Reject

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(
    task_send_sent_event=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"queue_order_strategy": "priority"},
)


if "BEAT" in os.environ:
    app.conf.beat_schedule = {
        "add": {"task": "shop.add", "schedule": float(os.environ["BEAT"]), "args": (1, 2)}
    }


@app.task(name="shop.add")
def add(one, other):
    return one + other


@app.task(name="shop.fail")
def fail():
    raise ValueError("the password is hunter2")


@app.task(name="shop.flaky", bind=True, max_retries=3)
def flaky(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@app.task(name="shop.refuse", acks_late=True)
def refuse():
    raise Reject("no", requeue=False)


@app.task(name="shop.hold")
def hold(path):
    while not os.path.exists(path):
        time.sleep(0.05)


@app.task(name="shop.toil")
def toil(seconds, succeeds):
    time.sleep(seconds)
    if not succeeds:
        raise ValueError("it was in vain")


def backlog():
    for priority in (0, 5, 9):
        add.apply_async((1, 2), queue="mail", priority=priority)
    add.apply_async((1, 2))


def work():
    for priority in (0, 5, 9):
        add.apply_async((1, 2), queue="mail", priority=priority)
    fail.apply_async()
    fail.apply_async()
    flaky.apply_async()
    refuse.apply_async()
    app.control.revoke("called-off")
    time.sleep(0.5)
    add.apply_async((1, 2), task_id="called-off")


def bulk():
    for _ in range(3):
        hold.apply_async((sys.argv[2],), queue="bulk")


def crowd():
    queue, count, seconds, succeeds = sys.argv[2:6]
    for _ in range(int(count)):
        toil.apply_async((float(seconds), succeeds == "well"), queue=queue)


def steady():
    """So many tasks a second, to two queues at three priorities, until it is killed."""
    rate, sent, due = float(sys.argv[2]), 0, time.monotonic()
    while True:
        if sent % 20 == 0:
            fail.apply_async()
        else:
            add.apply_async((1, 2), queue="mail", priority=(0, 5, 9)[sent % 3])
        sent += 1
        due += 1 / rate
        time.sleep(max(0, due - time.monotonic()))


def strange():
    """A task that no worker knows."""
    app.send_task(sys.argv[2])


commands = {
    "backlog": backlog,
    "work": work,
    "bulk": bulk,
    "crowd": crowd,
    "steady": steady,
    "strange": strange,
}

if __name__ == "__main__":
    commands[sys.argv[1]]()
