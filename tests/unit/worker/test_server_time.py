"""The server's clock as a worker knows it."""

from lion_broker.worker.server_time import ServerTime


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_nothing_is_known_at_first() -> None:
    """Before the server has said what time it is, nobody makes it up."""
    assert ServerTime().now_ms is None


def test_it_goes_on_between_answers() -> None:
    """What has passed since is added."""
    watch = Watch()
    time = ServerTime(watch)
    time.heard(5_000_000)
    watch.seconds += 1.5
    assert time.now_ms == 5_001_500


def test_an_answer_that_was_slow_does_not_set_it_back() -> None:
    """An answer says what time it was when it was sent; the quickest one is the nearest to the truth."""
    watch = Watch()
    time = ServerTime(watch)
    time.heard(5_000_000)
    watch.seconds += 10
    time.heard(5_003_000)  # seven seconds on the way
    assert time.now_ms == 5_010_000
    time.heard(5_010_004)
    assert time.now_ms == 5_010_004


def test_a_clock_that_was_set_back_is_followed() -> None:
    """After so many answers that all say the same."""
    watch = Watch()
    time = ServerTime(watch)
    time.heard(5_000_000)
    for _ in range(128):
        time.heard(1_000_000)
    assert time.now_ms == 1_000_000
