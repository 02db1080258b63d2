"""A monitor hears that a run began and how it ended; whatever it does changes nothing."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from healthpipe.errors import GateFailed, Interrupted, UsageError
from healthpipe.workflow import heartbeat as module
from healthpipe.workflow.heartbeat import heartbeat, require_url


@pytest.fixture
def monitor():
    """A monitor on loopback; `heard` are the paths that were called."""

    class Monitor(BaseHTTPRequestHandler):
        def do_GET(self):
            server.heard.append(self.path)
            server.answering.wait(20)
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    server.daemon_threads = True
    server.heard, server.status, server.answering = [], 200, threading.Event()
    server.answering.set()
    server.url = f"http://127.0.0.1:{server.server_port}/ping/7"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.answering.set()
    server.shutdown()
    server.server_close()


def test_a_good_run_is_heard_to_begin_and_to_end_with_0(monitor):
    with heartbeat(monitor.url):
        assert monitor.heard == ["/ping/7/start"]
    assert monitor.heard == ["/ping/7/start", "/ping/7/0"]


@pytest.mark.parametrize(
    ("error", "status"), [(GateFailed("x"), 3), (Interrupted(15), 143), (KeyError("x"), 1)]
)
def test_a_failed_run_is_heard_to_end_with_its_exit_status(monitor, error, status):
    with pytest.raises(type(error)), heartbeat(monitor.url):
        raise error
    assert monitor.heard == ["/ping/7/start", f"/ping/7/{status}"]


def test_a_monitor_that_refuses_or_is_gone_is_said_and_changes_nothing(monitor, caplog):
    monitor.status = 500
    with heartbeat(monitor.url):
        pass
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with heartbeat(f"http://127.0.0.1:{closed.getsockname()[1]}"):
            pass
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    assert all("heartbeat failed" in record.message for record in caplog.records)


def test_a_monitor_that_does_not_answer_is_not_waited_for(monitor, caplog, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    monitor.answering.clear()
    with heartbeat(monitor.url):
        pass
    assert "was not answered" in caplog.text


def test_without_an_address_nobody_is_called():
    with heartbeat(None):
        pass


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "file:///etc/passwd", "https://", ""])
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(UsageError):
        require_url(url)
    require_url("https://monitor.example/ping/7")
