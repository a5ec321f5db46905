"""Drives signalrcore: blocking callbacks on threads of its own."""

import logging
import threading

import driver
from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.types import HttpTransportType, HubProtocolEncoding

TARGETS = ("toast", "Message")
TRANSPORTS = {transport.value: transport for transport in HttpTransportType}
PROTOCOLS = {"json": HubProtocolEncoding.text, "messagepack": HubProtocolEncoding.binary}
WAIT_SECONDS = 8

tabs = {}


def connect(tab, url, transport, protocol, token=None):
    options = {"transport": TRANSPORTS[transport]}
    if token is not None:
        options["access_token_factory"] = lambda: driver.token_of(token)
    connection = (
        HubConnectionBuilder()
        .with_url(url, options=options)
        .with_hub_protocol(PROTOCOLS[protocol])
        .configure_logging(logging.CRITICAL)
        .with_automatic_reconnect({"type": "raw", "keep_alive_interval": 10, "reconnect_interval": 0.2})
        .build()
    )
    opened = threading.Event()

    def up():
        driver.report(tab=tab, event="opened")
        opened.set()

    connection.on_open(up)
    connection.on_reconnect(up)
    connection.on_close(lambda: driver.report(tab=tab, event="closed"))
    for target in TARGETS:
        connection.on(target, lambda arguments, target=target: driver.report(
            tab=tab, event="received", target=target, arguments=arguments))
    tabs[tab] = connection
    connection.start()
    if not opened.wait(WAIT_SECONDS):
        raise TimeoutError("the connection did not open")


def invoke(tab, target, arguments):
    answer, done = [], threading.Event()

    def completed(message):
        answer.append(message)
        done.set()

    tabs[tab].on_error(lambda message: completed(message))
    tabs[tab].send(target, arguments, on_invocation=completed)
    if not done.wait(WAIT_SECONDS):
        raise TimeoutError("the call was not answered")
    if answer[0].error:
        raise RuntimeError(answer[0].error)
    return answer[0].result


def stream(tab, target):
    # The client sends the call before one can subscribe, and drops messages in between: a fast answer is lost.
    for _ in range(5):
        items, done = [], threading.Event()
        tabs[tab].stream(target, []).subscribe(
            {"next": items.append, "complete": lambda _: done.set(), "error": lambda _: done.set()}
        )
        if done.wait(1) and items:
            return items
    raise TimeoutError("the stream did not come")


def stop(tab):
    # It waits for its reading thread, which wakes with the server's next message: up to 15 s.
    threading.Thread(target=tabs.pop(tab).stop, daemon=True).start()


DO = {"connect": connect, "invoke": invoke, "tell": invoke, "stream": stream, "stop": stop}


def carry_out(call, do, **arguments):
    try:
        driver.report(call=call, value=DO[do](**arguments))
    except Exception as error:
        driver.report(call=call, error=str(error) or type(error).__name__)


for command in driver.commands():
    threading.Thread(target=carry_out, kwargs=command, daemon=True).start()
