"""The world of the broker's tests, one a module."""

import pytest
from flask import Flask

from registry.app import Renhice
from tests.functional.oauth.world import World, build_world


@pytest.fixture(scope="module")
def world(app: Flask, renhice: Renhice) -> World:
    """Two establishments, a professional, an app and a patient on a database of this module."""
    return build_world(app, renhice)
