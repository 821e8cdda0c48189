"""Files stay in `var/`; what is deleted is this checkout's alone."""

import os
from pathlib import Path

import pytest

from deploy.account import Account
from deploy.layout import SOCKET_PATH_LIMIT, Layout
from deploy.vault import password, read_list, read_object, write_object

ME = Account("me", os.geteuid(), os.getegid(), drop=False)


def test_data_stay_in_var_and_sockets_fit(tmp_path: Path) -> None:
    shallow, deep = Layout(Path("/srv/renhice")), Layout(tmp_path / ("d" * 90))
    deep.make()
    assert deep.home("postgres", ME) == deep.var / "postgres"
    for layout in (shallow, deep):
        for directory in (layout.sockets("postgres", ME), layout.supervisor_socket.parent):
            assert len(os.fsencode(directory)) <= SOCKET_PATH_LIMIT
    assert shallow.sockets("postgres", ME) == Path("/srv/renhice/var/postgres")
    deep.remove_data()
    assert not deep.supervisor_socket.parent.exists()


def test_removing_data_spares_locks_and_what_links_point_to(tmp_path: Path) -> None:
    layout, precious = Layout(tmp_path / "checkout"), tmp_path / "precious"
    precious.mkdir()
    layout.make()
    (layout.var / "elsewhere").symlink_to(precious)
    (layout.var / "up.lock").touch()
    (layout.secrets / "keys").mkdir()
    layout.remove_data()
    assert precious.is_dir()
    assert [path.name for path in layout.var.iterdir()] == ["up.lock"]


def test_a_link_where_a_private_directory_belongs_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.var.mkdir()
    layout.secrets.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="belongs to someone else"):
        layout.make()


def test_passwords_are_made_once_for_their_owner(tmp_path: Path) -> None:
    first = password(tmp_path, "valkey")
    assert len(first) >= 32
    assert password(tmp_path, "valkey") == first
    assert (tmp_path / "valkey").stat().st_mode & 0o777 == 0o600
    assert password(tmp_path, "other") != first


def test_json_files_are_private_and_default_to_empty(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert (read_object(path), read_list(path)) == ({}, [])
    write_object(path, {"población": 400})
    assert path.stat().st_mode & 0o777 == 0o600
    assert (read_object(path), read_list(path)) == ({"población": 400}, [])
