# SPDX-License-Identifier: Apache-2.0
"""The kinds of Python event loop."""

import asyncio
import selectors
import threading


def run_on_selector(main, selector):
    loop = asyncio.SelectorEventLoop(selector)
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def run_asyncio(main):
    asyncio.run(main())


def run_uvloop(main):
    import uvloop

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())


def run_poll(main):
    run_on_selector(main, selectors.PollSelector())


def run_select(main):
    run_on_selector(main, selectors.SelectSelector())


def run_thread(main):
    thread = threading.Thread(target=run_asyncio, args=(main,), name="loop")
    thread.start()
    thread.join()


def run_uvloop_thread(main):
    thread = threading.Thread(target=run_uvloop, args=(main,), name="loop")
    thread.start()
    thread.join()


LOOPS = {"asyncio": run_asyncio, "uvloop": run_uvloop, "poll": run_poll, "select": run_select, "thread": run_thread, "uvloop_thread": run_uvloop_thread}
