"""The example bots, called by telephone. One of them runs already (`ringback run -- …`), and `RINGBACK_DATA` names the
data folder; `RINGBACK_BOT` is its number, 5000 if it is not said.

    RINGBACK_DATA=ringback-data pytest examples/testing
"""

import os
import time
from pathlib import Path

import pytest
from ringback_testing import NotSo, Phone

PROMPTS = Path(__file__).parents[1] / "prompts"


@pytest.fixture
def bot() -> str:
    return os.environ.get("RINGBACK_BOT", "5000")


def listens(phone: Phone) -> Phone:
    """Waits until the bot has subscribed to keys: it is never told of those that were pressed before."""
    while not any("subscribeToTone → 200" in entry["text"] for entry in phone.look()["timeline"]):
        time.sleep(0.05)
    return phone


def test_the_opening_hours_are_told(phone: Phone, bot: str) -> None:
    phone.call(bot).hears(PROMPTS / "menu.wav").press("1")
    phone.hears(PROMPTS / "hours.wav").hears(PROMPTS / "bye.wav").is_hung_up()


def test_who_knows_the_menu_need_not_hear_it_out(phone: Phone, bot: str) -> None:
    listens(phone.call(bot)).press("2").hears(PROMPTS / "address.wav").hears(PROMPTS / "bye.wav").is_hung_up()


def test_what_is_not_said_is_not_heard(phone: Phone, bot: str) -> None:
    with pytest.raises(NotSo, match=r"hears .*address.wav: heard .* of sound in .* at best 0\."):
        listens(phone.call(bot)).press("1").hears(PROMPTS / "address.wav", within=4)
