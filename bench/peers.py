"""Mitogen or execnet, driven by bench/peers.ts: `peers.py mitogen|execnet`, then one JSON request a line, `[what, count]`, each answered by a number.

The calls are the plainest that the peer has: an empty function of the main script for Mitogen, an echo over a channel for execnet."""
import json
import os
import sys
import time

now = time.perf_counter


def noop():
    pass


class Mitogen:
    def __init__(self):
        import mitogen.master
        self.broker = mitogen.master.Broker()
        self.router = mitogen.master.Router(self.broker)
        self.context = self.local()
        self.context.call(noop)

    def local(self):
        return self.router.local(python_path=sys.executable, connect_timeout=120)

    def call(self, count):
        for _ in range(count):
            self.context.call(noop)

    def pipeline(self, count):
        for receiver in [self.context.call_async(noop) for _ in range(count)]:
            receiver.get().unpickle()

    def connect(self, _count):
        context = self.local()
        context.call(noop)
        return context

    def pid(self, _count):
        return self.context.call(os.getpid)

    def many(self, count):
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(count) as pool:
            contexts = list(pool.map(self.connect, [1] * count))
            list(pool.map(lambda context: context.shutdown(wait=True), contexts))

    def close(self):
        self.broker.shutdown()
        self.broker.join()


class Execnet:
    ECHO = 'while 1:\n    x = channel.receive()\n    if x is None: break\n    channel.send(x)'

    def __init__(self):
        import execnet
        self.group = execnet.Group()
        self.channel = self.open().remote_exec(self.ECHO)

    def open(self):
        return self.group.makegateway('popen//python=' + sys.executable)

    def call(self, count):
        for _ in range(count):
            self.channel.send(1)
            self.channel.receive()

    def pipeline(self, count):
        for _ in range(count):
            self.channel.send(1)
        for _ in range(count):
            self.channel.receive()

    def connect(self, _count):
        self.open().remote_exec('channel.send(1)').receive()

    def close(self):
        self.group.terminate(timeout=1)


def main():
    peer = {'mitogen': Mitogen, 'execnet': Execnet}[sys.argv[1]]()
    print('true', flush=True)
    try:
        for line in sys.stdin:
            what, count = json.loads(line)
            start = now()
            value = getattr(peer, what)(count)
            print(value if what == 'pid' else (now() - start) * 1e3, flush=True)
    finally:
        peer.close()


if __name__ == '__main__':
    main()
