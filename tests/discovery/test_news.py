"""The thread that waits for news of the network hears what matters, and nothing else wakes it for long."""

from __future__ import annotations

import threading

from shared.discovery.news import News


class Machine:
    """An interface list and a sleep clock that tests move."""

    def __init__(self) -> None:
        self.addresses = ["192.168.1.20"]
        self.slept_s = 100.0

    def news(self) -> News:
        return News(lambda: list(self.addresses), slept=lambda: self.slept_s, look_every_s=0.05, settle_s=0.05)


def test_a_new_address_is_news_once() -> None:
    machine = Machine()
    news = machine.news()
    machine.addresses.append("10.0.0.9")
    assert news.wait(5) == "moved"
    assert news.wait(0.15) == "quiet"
    news.close()


def test_waking_up_is_news_though_the_addresses_are_the_same() -> None:
    machine = Machine()
    news = machine.news()
    machine.slept_s += 3.0
    assert news.wait(0.15) == "quiet", "a moment is no sleep"
    machine.slept_s += 3600.0
    assert news.wait(5) == "slept"
    assert news.wait(0.15) == "quiet"
    news.close()


def test_who_asks_wakes_it_at_once() -> None:
    machine = Machine()
    news = News(lambda: list(machine.addresses), slept=lambda: machine.slept_s, look_every_s=60, settle_s=0.05)
    heard: list[str] = []
    thread = threading.Thread(target=lambda: heard.append(news.wait(60)), daemon=True)
    thread.start()
    news.ask()
    thread.join(10)
    assert heard == ["asked"]
    news.close()
