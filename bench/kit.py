"""What bench/run is made of: the demonstration country with an information system of its own behind it,
the load generator, yardsticks of this machine, and the list of figures."""
import collections
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLIENT = 'X-Road-Client: SILD/GOV/70000002/insurance'
CONSUMER = 'http://127.0.1.12:8080'
ECHO = CONSUMER + '/r1/SILD/GOV/70000001/population/echo/x'
FAMILY = CONSUMER + '/r1/SILD/GOV/70000001/population/families/{n}'
PROVIDER = '127.0.1.31:9100'
REGISTRY = 'http://127.0.1.21:9001/families/{n}'
SERVICE = '''
[service SILD/GOV/70000001/population/echo]
url = http://%s/
allow = SILD/GOV/70000002/insurance POST **
''' % PROVIDER
GATEWAYS = ('social', 'state')
PEOPLE = 1000
READY = 60  # seconds, for whatever must come by itself

figures = []
notes = []  # why the run as a whole has failed


def note(text):
    notes.append(text)
    print('  FAILED: %s' % text, flush=True)


class Table:
    """Writes figures down, each with its target beside it. targets: name to ('>=' or '<=', value)."""

    def __init__(self, targets):
        self.targets = targets

    def row(self, name, value, unit, yardstick_name=None, yardstick=None, digits=1):
        if yardstick is None:
            yardstick_name = None
        ratio = value / yardstick if yardstick else None
        figures.append({'name': name, 'value': round(value, 4), 'unit': unit,
                        'yardstick_name': yardstick_name,
                        'yardstick': None if yardstick is None else round(yardstick, 4),
                        'ratio': None if ratio is None else round(ratio, 4)})
        text = '  %-52s %10.*f %-9s' % (name, digits, value, unit)
        if name in self.targets:
            how, target = self.targets[name]
            good = value >= target if how == '>=' else value <= target
            text += ' target %s %-7g %-12s' % (how, target, 'reached' if good else 'NOT REACHED')
        if yardstick is not None:
            text += ' %s %.*f, ratio %.3g' % (yardstick_name, digits, yardstick, ratio)
        print(text.rstrip(), flush=True)


def until(good, what, pause=0.1):
    """Waits for something that comes by itself."""
    end = time.monotonic() + READY
    while not good():
        if time.monotonic() > end:
            sys.exit('bench/run: %s did not come within %d s' % (what, READY))
        time.sleep(pause)


# --- the country ---

class Country:
    """The demonstration country in a folder of its own, and behind its gateway "state" an information
    system that answers with the body it gets. fault: every so manieth answer is an error."""

    def __init__(self, build, key=None, fault=0):
        self.build, self.sild = build, os.path.join(build, 'sild')
        self.folder = tempfile.mkdtemp(prefix='sild-bench-', dir=build)
        self.process = self.provider = None
        try:
            self.start(['--key', key] if key else [])
            self.serve(fault)
        except BaseException:
            self.end()
            raise

    def start(self, options=()):
        self.process = subprocess.Popen([self.sild, 'up', '--dir', self.folder, *options], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        late = threading.Timer(READY, self.process.terminate)
        late.start()
        text = ''
        for line in self.process.stdout:
            text += line
            if line.startswith('Ctrl-C'):
                late.cancel()
                return
        late.cancel()
        sys.exit('bench/run: the country did not come up:\n' + text)

    def serve(self, fault):
        """The information system, and the country anew with it."""
        self.provider = subprocess.Popen([os.path.join(self.build, 'bench', 'provider'), PROVIDER] +
                                         ([str(fault)] if fault else []), text=True,
                                         stdout=subprocess.PIPE)
        if self.provider.stdout.readline() != 'ready\n':
            sys.exit('bench/run: the information system did not start')
        self.stop()
        with open(os.path.join(self.folder, 'state', 'state.conf'), 'a') as f:
            f.write(SERVICE)
        self.start()

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def end(self):
        self.stop()
        if self.provider is not None:
            self.provider.terminate()
            self.provider.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def people(self):
        """A file with codes of people, one a line."""
        out = subprocess.run([self.sild, 'registry', 'sample', '-n', str(PEOPLE), '--config',
                              os.path.join(self.folder, 'population', 'population.conf')],
                             check=True, text=True, stdout=subprocess.PIPE).stdout
        path = os.path.join(self.folder, 'people')
        with open(path, 'w') as f:
            f.writelines(line.split()[0] + '\n' for line in out.splitlines())
        return path

    def roles(self):
        """The processes of each role: name to a list of process numbers."""
        parents = {}
        for path in glob.glob('/proc/[0-9]*/stat'):
            try:
                with open(path) as f:
                    parents[int(path.split('/')[2])] = int(f.read().rpartition(')')[2].split()[1])
            except OSError:
                pass
        out = collections.defaultdict(list)
        for pid in parents:
            top = pid
            while parents.get(top) not in (None, 0, self.process.pid):
                top = parents[top]
            if parents.get(top) != self.process.pid:
                continue
            try:
                with open('/proc/%d/cmdline' % top) as f:
                    config = f.read().split('\0')[3]
            except (OSError, IndexError):
                continue
            out[os.path.splitext(os.path.basename(config))[0]].append(pid)
        return out

    def memory(self):
        """MB of each role: sum of PSS of its processes."""
        out = {}
        for role, pids in self.roles().items():
            for pid in pids:
                try:
                    with open('/proc/%d/smaps_rollup' % pid) as f:
                        kib = int(re.search(r'^Pss: +(\d+)', f.read(), re.M).group(1))
                except (OSError, AttributeError):
                    continue
                out[role] = out.get(role, 0) + kib / 1024
        return out

    def cpu(self):
        """Seconds that each role's processes have run so far."""
        out = {}
        for role, pids in self.roles().items():
            for pid in pids:
                try:
                    with open('/proc/%d/stat' % pid) as f:
                        fields = f.read().rpartition(')')[2].split()
                except OSError:
                    continue
                ticks = int(fields[11]) + int(fields[12])
                out[role] = out.get(role, 0) + ticks / os.sysconf('SC_CLK_TCK')
        return out


class Watch:
    """The most memory that each role has while something runs."""

    def __init__(self, country, pause=1):
        self.country, self.pause, self.most = country, pause, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        last = False
        while not last:
            last = self.over.wait(self.pause)
            for role, mb in self.country.memory().items():
                self.most[role] = max(mb, self.most.get(role, 0))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


# --- load ---

def load(build, url, connections, seconds, size=0, *more):
    """One run of the load generator. size: bytes of the body that is posted and must come back."""
    command = [os.path.join(build, 'bench', 'load'), '--url', url, '--connections', str(connections),
               '--seconds', str(seconds), *more]
    if size:
        command += ['--method', 'POST', '--body-size', str(size), '--echo']
    p = subprocess.run(command, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if not p.stdout.startswith('{'):
        sys.exit('bench/run: the load generator ended with exit code %d' % p.returncode)
    r = json.loads(p.stdout)
    if r['errors'] or p.returncode != 0:
        note('%d of %d requests to %s: %s' % (r['errors'], r['errors'] + r['ok'], url,
                                              r.get('first_error', '')))
    return r


class Asked:
    """Exchanges asked for. Each has an id of its own, and those of successes are remembered."""

    def __init__(self, country):
        self.country, self.runs = country, 0
        self.ids = os.path.join(country.folder, 'ids')
        open(self.ids, 'w').close()

    def run(self, connections, seconds, size, *more, url=ECHO):
        self.runs += 1
        return load(self.country.build, url, connections, seconds, size, '--header', CLIENT,
                    '--id', 'bench-%d-' % self.runs, '--ids', self.ids, *more)

    def check(self):
        """Each log holds a request and a response for each success and nothing else, all of them
        signed, verified and under a time-stamp."""
        with open(self.ids) as f:
            want = set(f.read().split())
        logs = [Log(self.country, name) for name in GATEWAYS]
        for log in logs:
            log.compare(want)
        for log in logs:
            if log.unstamped:  # what was logged last
                time.sleep(3)
                log.read()
                log.compare(want)
            log.tell()
        print('  %d exchanges succeeded, %d records are logged for them' % (
            len(want), sum(log.messages for log in logs)))
        if not want:
            note('no exchange succeeded')


class Log:
    """One message log, read and verified by `sild journal verify`, at first beside others."""

    def __init__(self, country, name):
        self.country, self.name = country, name
        self.list = os.path.join(country.folder, name + '.list')
        self.begin()

    def begin(self):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [self.country.sild, 'journal', 'verify', '--signatures', '--list', self.list,
             os.path.join(self.country.folder, self.name, 'messagelog')],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def read(self):
        self.begin()

    def compare(self, want):
        self.output = self.process.communicate()[0]
        self.took = time.monotonic() - self.began
        self.code = self.process.returncode
        found = {'request': collections.Counter(), 'response': collections.Counter()}
        sequences, stamped, self.messages = set(), set(), 0
        with open(self.list) as f:
            for line in f:
                words = line.split()
                if words[0] == 'stamped':
                    stamped.add(words[1])
                    continue
                self.messages += 1
                sequences.add(words[1])
                found[words[2]][words[3]] += 1
        self.unstamped = len(sequences - stamped)
        self.missing = sum(any(found[kind][i] != 1 for kind in found) for i in want)
        self.strange = sum(n for kind in found for i, n in found[kind].items() if i not in want)

    def tell(self):
        print('  message log of %-7s %8d messages verified in %.1f s, %d without a time-stamp' % (
            self.name, self.messages, self.took, self.unstamped), flush=True)
        if self.code != 0:
            note('the log of %s: %s' % (self.name, self.output.strip()))
        if self.missing:
            note('%d successes have no request and response in the log of %s' % (self.missing,
                                                                              self.name))
        if self.strange:
            note('%d records in the log of %s belong to no success' % (self.strange, self.name))
        if self.unstamped:
            note('%d records in the log of %s have no time-stamp' % (self.unstamped, self.name))


# --- yardsticks of this machine ---

class Openssl:
    """Signatures and verifications a second of one core, by kind of key; measured meanwhile, until somebody asks."""

    def __init__(self, kinds):
        self.process = subprocess.Popen(['openssl', 'speed', '-mr', '-seconds', '1', *kinds], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def __getattr__(self, name):
        if name not in ('sign', 'verify'):
            raise AttributeError(name)
        self.wait()
        return self.__dict__[name]

    def wait(self):
        out = self.process.communicate()[0]
        self.sign, self.verify = {}, {}
        for kind, bits, sign, verify in re.findall(
                r'^\+F([24]):\d+:(\d+):([\d.e+-]+):([\d.e+-]+)', out, re.M):
            name = {'2': 'rsa', '4': 'ecdsap'}[kind] + bits
            # Whether seconds or operations are printed depends on the version.
            self.sign[name], self.verify[name] = (
                n if n > 1 else 1 / n for n in (float(sign), float(verify)))


def openssl_digest(name, block=16384):
    """MB a second of one core."""
    out = subprocess.run(['openssl', 'speed', '-mr', '-seconds', '1', '-bytes', str(block), '-evp',
                          name], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return float(re.search(r'^\+F:\d+:[^:]+:([\d.]+)', out, re.M).group(1)) / 1e6


def copy_speed(size=1 << 20, seconds=0.3):
    """MB a second of copying blocks of a megabyte."""
    source, n, began = bytearray(size), 0, time.perf_counter()
    target = memoryview(bytearray(size))
    while (took := time.perf_counter() - began) < seconds:
        target[:] = source
        n += 1
    return n * size / took / 1e6


def sync_ms(folder, n=200):
    """Sorted: how long appending 4 KiB and fdatasync took."""
    path = os.path.join(folder, 'sync')
    took = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(n):
        began = time.perf_counter()
        os.write(fd, bytes(4096))
        os.fdatasync(fd)
        took.append((time.perf_counter() - began) * 1000)
    os.close(fd)
    os.unlink(path)
    return sorted(took)


def machine(folder):
    """One line: processor, memory, kernel, disk, OpenSSL."""
    def first(pattern, path):
        with open(path) as f:
            m = re.search(pattern, f.read(), re.M)
        return m.group(1) if m else 'unknown'

    model = first(r'^model name\s*: (.*)', '/proc/cpuinfo')
    gib = int(first(r'^MemTotal: +(\d+)', '/proc/meminfo')) / 2**20
    disk = subprocess.run(['df', '--output=source,fstype', folder], text=True,
                          stdout=subprocess.PIPE).stdout.split('\n')[1].split()
    version = subprocess.run(['openssl', 'version'], text=True, stdout=subprocess.PIPE).stdout.split()
    return '%s, %d cores, %.0f GiB; Linux %s; %s on %s; OpenSSL %s' % (
        model, len(os.sched_getaffinity(0)), gib, os.uname().release, disk[1], disk[0], version[1])


def on_terminate():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
