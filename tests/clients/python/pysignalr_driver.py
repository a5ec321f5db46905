"""Drives pysignalr: asyncio, WebSockets alone."""

import asyncio
import sys
import threading

import driver
from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol

TARGETS = ("toast", "Message")
PROTOCOLS = {"json": JSONProtocol, "messagepack": MessagepackProtocol}
WAIT_SECONDS = 8

tabs = {}


async def connect(tab, url, transport, protocol, token=None):
    """Opens a tab that runs its client again whenever run() gives up, as its applications have to."""
    assert transport == "WebSockets"
    opened = asyncio.Event()
    tabs[tab] = (None, asyncio.create_task(keep_running(tab, opened, url, protocol, token)))
    await asyncio.wait_for(opened.wait(), WAIT_SECONDS)


async def keep_running(tab, opened, url, protocol, token):
    while True:
        client = make(tab, opened, url, protocol, token)
        tabs[tab] = (client, asyncio.current_task())
        try:
            await client.run()
        except Exception as error:
            driver.report(note=repr(error), tab=tab, event="given up")
            await asyncio.sleep(0.2)


def make(tab, opened, url, protocol, token):
    factory = None if token is None else lambda: driver.token_of(token)
    # The factory's token arrives too late for the first negotiation.
    headers = {} if token is None else {"Authorization": "Bearer " + driver.token_of(token)}
    client = SignalRClient(url, protocol=PROTOCOLS[protocol](), headers=headers, access_token_factory=factory)

    async def up():
        driver.report(tab=tab, event="opened")
        opened.set()

    async def failed(message):
        """The call's own callback is told too."""

    client.on_open(up)
    client.on_error(failed)
    for target in TARGETS:
        async def received(arguments, target=target):
            driver.report(tab=tab, event="received", target=target, arguments=arguments)
        client.on(target, received)
    return client


async def invoke(tab, target, arguments):
    client, _ = tabs[tab]
    answer = asyncio.get_running_loop().create_future()

    async def completed(message):
        if not answer.done():
            answer.set_result(message)

    await client.send(target, arguments, on_invocation=completed)
    message = await asyncio.wait_for(answer, WAIT_SECONDS)
    if message.error:
        raise RuntimeError(message.error)
    return message.result


async def stream(tab, target):
    client, _ = tabs[tab]
    items, done = [], asyncio.Event()

    async def item(value):
        items.append(value)

    async def complete(_):
        done.set()

    await client.stream(target, [], on_next=item, on_complete=complete)
    await asyncio.wait_for(done.wait(), WAIT_SECONDS)
    return items


async def stop(tab):
    _, run = tabs.pop(tab)
    run.cancel()


DO = {"connect": connect, "invoke": invoke, "tell": invoke, "stream": stream, "stop": stop}


async def carry_out(call, do, **arguments):
    try:
        driver.report(call=call, value=await DO[do](**arguments))
    except Exception as error:
        driver.report(call=call, error=str(error) or type(error).__name__)


async def main():
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    tasks = set()

    def start(command):
        task = loop.create_task(carry_out(**command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def read():
        for command in driver.commands():
            loop.call_soon_threadsafe(start, command)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()


asyncio.run(main())
sys.exit(0)
