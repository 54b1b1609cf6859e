"""Command lines of real programs, and what is to be known of their ports."""

from __future__ import annotations

import pytest

from homeportd.cautions import caution

SERVERS = [
    (5433, "/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main", "PostgreSQL"),
    (3307, "/usr/sbin/mariadbd", "MariaDB"),
    (3306, "/usr/sbin/mysqld", "MySQL"),
    (6380, ["redis-server 127.0.0.1:6380"], "Redis"),
    (6379, ["/usr/bin/valkey-server 127.0.0.1:6379"], "Valkey"),
    (27018, "/usr/bin/mongod --config /etc/mongod.conf", "MongoDB"),
    (11211, "/usr/bin/memcached -m 64 -p 11211 -u memcache", "memcached"),
    (2222, ["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"], "SSH"),
    (8025, "/usr/lib/postfix/sbin/master -w", "SMTP"),
    (1884, "/usr/sbin/mosquitto -c /etc/mosquitto/mosquitto.conf", "MQTT"),
    (9005, ["php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], "FastCGI"),
    (9005, "/usr/sbin/php-fpm8.2 --nodaemonize", "FastCGI"),
    (5672, "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -- -root /usr/lib/erlang", "AMQP"),
    (5432, "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 5432", "PostgreSQL"),
    (15432, "/usr/bin/docker-proxy -proto tcp -host-port 15432 -container-port 5432", "PostgreSQL"),
    (5432, [], "PostgreSQL"),
    (25, [], "SMTP"),
]
DEBUGGERS = [
    (9229, "node --inspect server.js", "Node's inspector"),
    (9230, "node --inspect=9230 server.js", "Node's inspector"),
    (9231, "/usr/bin/node --inspect-brk=0.0.0.0:9231 server.js", "Node's inspector"),
    (9232, "node --inspect=[::1]:9232 server.js", "Node's inspector"),
    (9229, "node node_modules/.bin/next dev", "Node's inspector"),  # by NODE_OPTIONS
    (9229, [], "Node's inspector"),
    (9300, "/usr/bin/docker-proxy -proto tcp -host-port 9300 -container-port 9229", "Node's inspector"),
    (6499, "bun --inspect server.ts", "Bun's inspector"),
    (4000, "bun --inspect=localhost:4000/debug server.ts", "Bun's inspector"),
    (9333, "/usr/lib/chromium/chromium --headless --remote-debugging-port=9333", "Chrome's remote debugging"),
    (9334, "chrome --remote-debugging-port 9334 about:blank", "Chrome's remote debugging"),
    (5678, "python -m debugpy --listen 5678 app.py", "debugpy"),
    (5679, "python3 /v/debugpy/adapter --for-server 1 --host 127.0.0.1 --port 5679", "debugpy"),
    (5006, "java -agentlib:jdwp=transport=dt_socket,server=y,address=*:5006,suspend=n Main", "JDWP"),
    (8000, "java -Xrunjdwp:transport=dt_socket,server=y,address=8000 Main", "JDWP"),
    (2345, "dlv debug --headless --listen=:2345", "Delve"),
    (2159, "gdbserver :2159 ./a.out", "gdbserver"),
    (5000, "/v/bin/python /v/bin/flask --app shop run --debug", "Werkzeug"),
    (8000, "python manage.py runserver_plus 8000", "Werkzeug"),
]
NOTHING = [
    (3000, "node --inspect server.js"),  # the server itself
    (5173, "node node_modules/.bin/vite"),
    (5432, "node server.js"),  # speaks what it likes, where it likes
    (6379, "python3 -m http.server 6379"),
    (8000, "python -m debugpy --listen 5678 -m uvicorn app:app"),
    (8080, "java -agentlib:jdwp=transport=dt_socket,server=y,address=*:5005 Main"),
    (5005, "java -agentlib:jdwp=transport=dt_socket,server=y,address=5006 Main"),
    (15672, "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w"),  # RabbitMQ's page
    (5000, "/v/bin/python /v/bin/flask --app shop run"),
    (8025, "mailpit"),
    (5432, "/usr/bin/docker-proxy -proto tcp -host-port 5432 -container-port 8080"),
    (3000, "/usr/bin/docker-proxy -container-port"),
    (3000, "/usr/bin/docker-proxy -container-port nine"),
    (8080, []),
    (3000, [""]),
    (3000, ["  "]),
    (9229, ["postgres-exporter"]),
]


def argv(command: str | list[str]) -> list[str]:
    return command.split() if isinstance(command, str) else command


@pytest.mark.parametrize(("port", "command", "name"), SERVERS)
def test_servers_that_speak_no_http(port: int, command: str | list[str], name: str) -> None:
    known = caution(port, argv(command))
    assert known is not None
    assert (known.kind, known.command) == ("not-http", f"homeport tcp {port}")
    assert name in known.text


@pytest.mark.parametrize(("port", "command", "name"), DEBUGGERS)
def test_debuggers(port: int, command: str | list[str], name: str) -> None:
    known = caution(port, argv(command))
    assert known is not None
    assert known.kind == "debugger"
    assert name in known.text


@pytest.mark.parametrize(("port", "command"), NOTHING)
def test_ordinary_servers(port: int, command: str | list[str]) -> None:
    assert caution(port, argv(command)) is None


@pytest.mark.parametrize(
    "word", ["--inspect=", "--inspect=x:y:z", "--inspect=99999", "--inspect=\x1b[2J", "=" * 9000]
)
def test_a_hostile_command_line_says_nothing_of_its_own(word: str) -> None:
    for port in (3000, 9229):
        known = caution(port, ["node", word, "--listen", "\x1b]0;x\x07"])
        assert known is None or known.text.isprintable()
