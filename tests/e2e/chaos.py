"""A network that misbehaves, between agents and their aggregator."""

import asyncio
import contextlib
import random
import socket
import struct
import threading

INGEST = b"/vigil.v1.Ingest/Stream"  # begins an agent's stream; gRPC sends its path as it is
LONGEST = 6  # seconds until trouble begins on a connection made while the network is bad


def abort(writer):
    """Ends a connection with RST, whatever is under way."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Connection:
    """One accepted connection and what happens to it. `lines` are its connections to the aggregator."""

    def __init__(self, chaos, near):
        self.chaos, self.choose = chaos, chaos.choose
        self.near_reader, self.near = near
        self.lines = []
        self.delay = 0.0  # seconds, at most, that a piece is held
        self.stuck = set()  # directions in which nothing passes any more
        self.untold = False  # the end of one side is not told to the other
        self.bytes_left = None  # towards the aggregator, until it is cut, in the middle of whatever

    async def dial(self):
        reader, writer = await asyncio.open_connection(*self.chaos.target)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines.append((reader, writer))

    async def run(self):
        await self.dial()
        self.chaos.keep(self.down())
        try:
            await self.up()
        finally:
            if not self.untold:
                self.cut()

    async def begin_trouble(self):
        kind = self.choose.choice([self.short, self.slow, self.torn, self.half_open, self.twin, self.stale])
        self.chaos.seen[kind.__name__] = self.chaos.seen.get(kind.__name__, 0) + 1
        await kind()

    def later(self, least, most, action):
        async def wait():
            await asyncio.sleep(self.choose.uniform(least, most))
            action()

        self.chaos.keep(wait())

    # The kinds of trouble.

    async def short(self):
        self.later(0, LONGEST, self.cut)

    async def slow(self):
        """Pieces are held for a while, in their order."""
        self.delay = 0.4
        self.later(0, LONGEST, self.cut)

    async def torn(self):
        """Ends in the middle of a message, or of its length."""
        def tear():
            self.bytes_left = self.choose.randrange(200)

        self.later(0, LONGEST, tear)

    async def half_open(self):
        """From some moment on nothing passes in one or both directions, and nobody is told, not even of the other's end."""
        def stick():
            self.untold = True
            self.stuck |= self.choose.choice([{"up"}, {"down"}, {"up", "down"}])

        self.later(0.2, LONGEST, stick)

    async def twin(self):
        """The aggregator sees the connection twice; the agent hears one of the two."""
        await self.dial()

        async def drain(reader):
            while await reader.read(1 << 16):
                pass

        self.chaos.keep(drain(self.lines[1][0]))
        self.later(0, LONGEST, self.cut)

    async def stale(self):
        """What the agent said arrives after it gave up and came back on another connection."""
        self.untold = True
        self.stuck.add("down")
        self.delay = 3.0
        self.later(0.3, 2, lambda: abort(self.near))

    # The two directions.

    async def up(self):
        said = []  # all of it until it is known whose connection this is, for a twin
        while piece := await self.near_reader.read(1 << 16):
            if said is not None:
                said.append(piece)
                if INGEST in b"".join(said):
                    if self.chaos.bad:
                        await self.begin_trouble()
                        for _, writer in self.lines[1:]:
                            writer.write(b"".join(said[:-1]))
                    said = None
            if self.delay:
                await asyncio.sleep(self.choose.uniform(0, self.delay))
            if "up" in self.stuck:
                continue
            if self.bytes_left is not None and len(piece) > self.bytes_left:
                return self.send(piece[: self.bytes_left])
            if self.bytes_left is not None:
                self.bytes_left -= len(piece)
            self.send(piece)

    def send(self, piece):
        for _, writer in self.lines:
            if not writer.is_closing():
                writer.write(piece)

    async def down(self):
        try:
            while piece := await self.lines[0][0].read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.choose.uniform(0, self.delay))
                if "down" not in self.stuck and not self.near.is_closing():
                    self.near.write(piece)
        finally:  # also when the aggregator died
            if not self.untold:
                self.cut()

    def cut(self):
        for writer in (self.near, *(line[1] for line in self.lines)):
            abort(writer)


class Chaos:
    """A proxy in front of `target`. While `bad`, what agents connect is delayed, cut anywhere, left half open, doubled, or delivered
    after the agent has come back on another connection; other programs pass untouched."""

    def __init__(self, target, seed):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.choose = random.Random(seed)
        self.bad = False
        self.seen = {}  # connections by what happened to them
        self.open = set()
        self.background = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=4096))
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    async def _accept(self, reader, writer):
        connection = Connection(self, (reader, writer))
        self.open.add(connection)
        try:
            await connection.run()
        except OSError:
            connection.cut()
        finally:
            self.open.discard(connection)

    def keep(self, work):
        async def quietly():
            with contextlib.suppress(OSError):
                await work

        task = self.loop.create_task(quietly())
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def cut_all(self):
        """Every connection at one instant; how many there were."""
        async def now():
            cut = list(self.open)
            for connection in cut:
                connection.cut()
            return len(cut)

        return asyncio.run_coroutine_threadsafe(now(), self.loop).result(60)

    def close(self):
        async def end():
            for connection in list(self.open):
                connection.cut()
            self.server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
