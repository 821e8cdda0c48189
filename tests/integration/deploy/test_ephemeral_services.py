"""The throwaway servers are real, empty, private, and gone afterwards."""

from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import make_url

from deploy.postgres import connect
from deploy.services import ephemeral_database, ephemeral_postgres, ephemeral_valkey


def test_postgres_is_real_checksummed_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENHICE_DATABASE_URL", raising=False)
    with ephemeral_postgres() as text:
        url = make_url(text)
        with connect(url) as connection:
            assert connection.info.server_version >= 150000
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SELECT current_database()").fetchone() == ("renhice",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(url.set(password="wrong"))
        home = Path(str(url.query["host"]))
        assert home.stat().st_mode & 0o077 == 0
    assert not home.exists()


def test_databases_of_one_server_are_separate_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENHICE_DATABASE_URL", raising=False)
    with ephemeral_postgres() as server:
        monkeypatch.setenv("RENHICE_DATABASE_URL", server)
        with ephemeral_postgres() as one, ephemeral_database(server) as two:
            assert len({server, one, two}) == 3
            with connect(make_url(one)) as connection:
                connection.execute("CREATE TABLE only_here (id int)")
            with connect(make_url(two)) as connection:
                assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            connect(make_url(one))


def test_valkey_asks_for_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENHICE_BROKER_URL", raising=False)
    with ephemeral_valkey() as url:
        with redis.Redis.from_url(url) as client:
            assert client.set("a", "b")
        stranger = url.replace(url.split("@")[0], "redis://:wrong")
        with redis.Redis.from_url(stranger) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_named_broker_is_used_in_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENHICE_BROKER_URL", "redis://:secret@broker:6379/0")
    with ephemeral_valkey() as url:
        assert url == "redis://:secret@broker:6379/15"
