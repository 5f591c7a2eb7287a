"""Gives the tests here their phones."""

pytest_plugins = ["ringback_testing"]
