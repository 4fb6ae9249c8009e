"""Properties that are found once."""

import threading

from convergio_mlx.platform.once import once


class Shelf:
    def __init__(self, go_on: threading.Event) -> None:
        self._go_on = go_on
        self.looked = 0

    @once
    def books(self) -> list[str]:
        """What stands there."""
        self.looked += 1
        self._go_on.wait(60)
        return ["a"]


def test_a_value_is_found_once() -> None:
    go_on = threading.Event()
    go_on.set()
    shelf = Shelf(go_on)
    assert shelf.looked == 0
    assert shelf.books is shelf.books
    assert shelf.looked == 1
    assert Shelf.books.__doc__ == "What stands there."


def test_one_that_waits_does_not_hold_up_another() -> None:
    go_on = threading.Event()
    slow = Shelf(go_on)
    thread = threading.Thread(target=lambda: slow.books)
    thread.start()
    while slow.looked == 0:
        pass
    try:
        ready = threading.Event()
        ready.set()
        assert Shelf(ready).books == ["a"]
    finally:
        go_on.set()
        thread.join()
