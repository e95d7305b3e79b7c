"""Servers of one's own: PostgreSQL and Redis, each on a free address, gone when the one who asked for them is.

    python scripts/private_services.py [--postgres] [--redis] -- COMMAND..

runs the command with DATABASE_URL and PRATIQUE_BROKER_URL set and ends with its exit status. Tests use the context
managers `postgres` and `redis` directly.
"""

import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PATIENCE = 30.0
ADVICE = "On Debian and Ubuntu, as root: apt-get install {} (or run `make test` as root)."


class NotInstalled(Exception):
    """The text says what is missing and how to get it."""


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """A fresh cluster, reached by a socket only; gives its DATABASE_URL. `durable` ones flush every commit to the disk.

    Its collation is that of a language wherever PostgreSQL can do that: people's clusters have one, and code that
    relies on the order of bytes is found out here.
    """
    programs = _postgres_programs()
    with own_folder("pg", owner=_unprivileged()) as folder:
        _make_cluster(programs, folder)
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, *_BY_SOCKET]
        command += [] if durable else _FAST
        with running(command, user=_unprivileged(), log=folder / "log", stop=signal.SIGINT) as alive:
            ready = [programs / "pg_isready", "-q", "-h", folder]
            wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, alive=alive, log=folder / "log")
            yield f"postgres://pratique@/postgres?host={folder}"


_BY_SOCKET = ["-c", "listen_addresses="]
# Nothing that a test stores has to survive a power cut.
_FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def _postgres_programs() -> Path:
    """The folder with the server's programs; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise NotInstalled("PostgreSQL's server programs are not installed. " + ADVICE.format("postgresql"))
    return found[-1].parent if found else Path(str(on_path)).parent


def _make_cluster(programs: Path, folder: Path) -> None:
    command = [programs / "initdb", "-D", folder / "data", "-U", "pratique", "-A", "trust", "-E", "UTF8", "-N"]
    by_language = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
    for locale in (by_language, ["--locale=C.UTF-8"]):
        shutil.rmtree(folder / "data", ignore_errors=True)
        made = subprocess.run(
            _as(_unprivileged(), [*command, *locale]), capture_output=True, text=True, check=False, cwd=folder
        )
        if made.returncode == 0:
            return
    raise RuntimeError(f"initdb failed: {made.stderr}")


@contextmanager
def redis() -> Iterator[str]:
    """A server that keeps nothing on disk; gives its address as PRATIQUE_BROKER_URL wants it."""
    program = shutil.which("redis-server")
    if not program:
        raise NotInstalled("Redis is not installed. " + ADVICE.format("redis-server"))
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with own_folder("redis", owner=None) as folder:
        command += ["--dir", str(folder)]
        with running(command, user=None, log=folder / "log", stop=signal.SIGTERM) as alive:
            wait_for(lambda: _answers(port), alive=alive, log=folder / "log")
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq() -> Iterator[str]:
    """A broker without plug-ins, with a name server of its own; gives its address as PRATIQUE_BROKER_URL wants it.

    Optional: NotInstalled where its program is missing.
    """
    program = rabbitmq_program()
    if not program:
        raise NotInstalled("RabbitMQ is not installed. " + ADVICE.format("rabbitmq-server"))
    user = "rabbitmq" if os.getuid() == 0 else None
    with own_folder("rabbit", owner=user) as folder:
        port, names = free_port(), free_port()
        environment = _rabbit_environment(folder, port=port, names=names)
        server = running([program], user=user, log=folder / "log", stop=signal.SIGTERM, environment=environment)
        with _name_server(names), server as alive:
            wait_for(lambda: _speaks_amqp(port), alive=alive, log=folder / "log")
            yield f"amqp://guest:guest@127.0.0.1:{port}//"


def rabbitmq_program() -> str | None:
    """Debian's own wrapper on the PATH insists on the installed broker's folders: the program behind it does not."""
    return shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin") or shutil.which("rabbitmq-server")


def _rabbit_environment(folder: Path, *, port: int, names: int) -> dict[str, str]:
    """Every place and port that it would otherwise share with an installed broker."""
    (folder / "plugins").write_text("[].\n")
    (folder / "settings.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n")
    (folder / "environment").write_text("")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"pratique{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(folder / "settings.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
    }


@contextmanager
def _name_server(port: int) -> Iterator[None]:
    """Erlang starts it by itself and leaves it behind."""
    try:
        yield
    finally:
        subprocess.run(["epmd", "-port", str(port), "-kill"], check=False, capture_output=True)


def _speaks_amqp(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        try:
            return bool(probe.recv(8))
        except OSError:
            return False


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        probe.sendall(b"PING\r\n")
        return probe.recv(16).startswith(b"+PONG")


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: whom to run it as, or None to run it as oneself."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def own_folder(name: str, *, owner: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"pratique-{name}-"))
    if owner:
        shutil.chown(folder, owner)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tied_to_parent(command: Sequence[object]) -> list[str]:
    """The command, asked to end when the process that starts it is killed, where the kernel can do that."""
    setpriv = shutil.which("setpriv")
    words = [str(word) for word in command]
    return [setpriv, "--pdeathsig", "TERM", *words] if setpriv else words


def _as(user: str | None, command: Sequence[object]) -> list[str]:
    """The command as another user."""
    words = [str(word) for word in command]
    if not user:
        return words
    if not shutil.which("setpriv"):
        return ["runuser", "-u", user, "--", *words]
    return ["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--init-groups", *words]


@contextmanager
def running(
    command: Sequence[object],
    *,
    user: str | None,
    log: Path,
    stop: signal.Signals,
    environment: dict[str, str] | None = None,
) -> Iterator[Callable[[], bool]]:
    """In a session of its own, so that a Ctrl-C reaches the tests first and the server last."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            _as(user, tied_to_parent(command)),
            cwd=log.parent, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield lambda: server.poll() is None
    finally:
        server.send_signal(stop)
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(ready: Callable[[], bool], *, alive: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if not alive() or time.monotonic() > deadline:
            raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _on_end(handler: Callable[[int, object], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _leave(number: int, _frame: object) -> None:
    """So that the servers are stopped on the way out."""
    sys.exit(128 + number)


def _run(command: Sequence[str], *, environment: dict[str, str]) -> int:
    """Signals that end us are handed to the command; its end is ours."""
    child = subprocess.Popen(command, env=environment)
    _on_end(lambda number, _frame: child.send_signal(number))
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue  # The terminal sent it to the command, too, which now ends in its own way.
        return status if status >= 0 else 128 - status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    environment = dict(os.environ)
    _on_end(_leave)
    # Even where a shell started us in the background, which turns Ctrl-C off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            if asked.postgres:
                environment["DATABASE_URL"] = stack.enter_context(postgres())
            if asked.redis:
                environment["PRATIQUE_BROKER_URL"] = stack.enter_context(redis())
            return _run(asked.command, environment=environment)
    except NotInstalled as missing:
        print(missing, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
