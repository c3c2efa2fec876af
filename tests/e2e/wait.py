import time


def until(good, seconds=30, pause=0.1):
    """Waits for something that comes by itself; its last value."""
    end = time.monotonic() + seconds
    while True:
        value = good()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)
