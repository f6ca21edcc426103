"""Mitogen's or execnet's side of `npm run bench -- ssh`: `ssh_peers.py mitogen|execnet SCENARIO`; see bench/ssh-client.ts.

Whatever can be chosen is as the peer's own documentation has it; `compression` of the settings says whether Mitogen uses `ssh -C`, its default."""
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import ssh_work

PYTHON = sys.executable
now = time.perf_counter


class Steps:
    def __init__(self):
        self.begin = now()

    def step(self, name):
        print(json.dumps([name, (now() - self.begin) * 1e3]), flush=True)
        sys.stdin.readline()
        self.begin = now()


class Mitogen(Steps):
    def __init__(self, settings):
        import mitogen.master
        Steps.__init__(self)
        self.settings = settings
        self.count = settings.get('count')
        self.broker = mitogen.master.Broker()
        self.router = mitogen.master.Router(self.broker)

    def ssh(self, _number=0):
        get = self.settings.get
        return self.router.ssh(
            hostname='127.0.0.1', port=get('port'), username=get('username'), ssh_args=['-F', get('configFile')],
            check_host_keys='enforce', compression=get('compression', True), python_path=PYTHON, connect_timeout=120)

    def sudo(self, context):
        return self.router.sudo(via=context, password=self.settings.get('password'), python_path=PYTHON)

    def hops(self):
        context = self.ssh()
        context.call(ssh_work.nothing)
        self.step('ssh')
        root = self.sudo(context)
        self.step('sudo')
        root.call(ssh_work.nothing)
        self.step('call')

    def first(self):
        self.ssh().call(ssh_work.nothing)
        self.step('first')

    def seedHere(self):
        root = self.sudo(self.ssh())
        for _ in range(self.count):
            root.call(ssh_work.run_true)

    def seedThere(self):
        self.sudo(self.ssh()).call(ssh_work.run_true_times, self.count)

    def many(self):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: self.ssh(number).call(ssh_work.nothing), range(self.count)))
        self.step('many')

    def calls(self):
        context = self.ssh()
        for name in ('warm', 'one', 'two', 'three'):
            for _ in range(self.count):
                context.call(ssh_work.nothing)
            self.step(name)

    def close(self):
        self.broker.shutdown()


class Execnet(Steps):
    NOTHING = 'channel.send(None)'
    TRUE = 'import subprocess\nchannel.send(subprocess.check_call(["/bin/true"]))'
    TRUES = 'import subprocess\nfor i in range(%d): subprocess.check_call(["/bin/true"])\nchannel.send(None)'

    def __init__(self, settings):
        import execnet
        Steps.__init__(self)
        self.settings = settings
        self.count = settings.get('count')
        self.group = execnet.Group()

    def ssh(self):
        spec = 'ssh=-F %(configFile)s -p %(port)d -l %(username)s 127.0.0.1' % self.settings
        return self.group.makegateway('%s//id=host//python=%s' % (spec, PYTHON))

    def sudo(self):
        return self.group.makegateway('popen//via=host//python=sudo ' + PYTHON)

    def call(self, gateway, source):
        gateway.remote_exec(source).receive()

    def hops(self):
        self.call(self.ssh(), self.NOTHING)
        self.step('ssh')
        root = self.sudo()
        self.step('sudo')
        self.call(root, self.NOTHING)
        self.step('call')

    def first(self):
        self.call(self.ssh(), self.NOTHING)
        self.step('first')

    def seedHere(self):
        self.ssh()
        root = self.sudo()
        for _ in range(self.count):
            self.call(root, self.TRUE)

    def seedThere(self):
        self.ssh()
        self.call(self.sudo(), self.TRUES % self.count)

    def calls(self):
        gateway = self.ssh()
        for name in ('warm', 'one', 'two', 'three'):
            for _ in range(self.count):
                self.call(gateway, self.NOTHING)
            self.step(name)

    def close(self):
        self.group.terminate(timeout=1)


def main():
    settings = json.loads(sys.stdin.readline())
    peer = {'mitogen': Mitogen, 'execnet': Execnet}[sys.argv[1]](settings)
    try:
        getattr(peer, sys.argv[2])()
    finally:
        peer.close()


if __name__ == '__main__':
    main()
