"""What tests of roles share: TAP, a role that is started until it is ready, and killed at the end."""
import atexit, os, pathlib, random, shutil, signal, socket, subprocess, sys, tempfile, time

SHARED = os.environ.get('SILD_SHARED', os.path.abspath('../shared'))
SILD = os.path.abspath(os.environ.get('SILD', './build/sild'))
READY_S = 60
tmp = tempfile.mkdtemp(prefix='sild-%s-' % os.path.basename(sys.argv[0]))
count = failed = 0
roles = []


def result(ok, name, detail=''):
    """One point; the detail is shown when it fails."""
    global count, failed
    count += 1
    if not ok:
        failed += 1
        for line in str(detail).splitlines()[-40:]:
            print('# ' + line)
    print('%s %d - %s' % ('ok' if ok else 'not ok', count, name), flush=True)
    return ok


def finish():
    print('1..%d' % count)
    sys.exit(1 if failed else 0)


@atexit.register
def clean():
    for r in roles:
        r.kill()
    shutil.rmtree(tmp, ignore_errors=True)


signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))


def run(*args, **more):
    """A command's exit code, standard output and standard error, as text."""
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, errors='replace', timeout=120, **more)
    return p.returncode, p.stdout, p.stderr


def good(*args, **more):
    """Its standard output; a failure of what only prepares a test ends the test."""
    code, out, err = run(*args, **more)
    if code != 0:
        print('Bail out! %s: exit %d: %s %s' % (' '.join(str(a) for a in args), code, out, err))
        sys.exit(1)
    return out


def write(path, content):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def free_port():
    """A port that is free on every address, below those that outgoing connections take."""
    while True:
        port = random.randrange(20000, 32000)
        try:
            socket.create_server(('', port)).close()
            return port
        except OSError:
            pass


def alive(pid):
    """Does it still hold what it had open?"""
    try:
        return ' Z ' not in pathlib.Path('/proc/%d/stat' % pid).read_text()
    except OSError:
        return False


class Role:
    """sild NAME (or words of which NAME is the last) with its configuration in a folder of its own."""

    def __init__(self, name, folder, conf):
        self.words = name.split()
        name = self.words[-1]
        self.name, self.dir, self.process, self.children = name, os.path.join(tmp, folder), None, []
        self.conf = write(self.dir + '/%s.conf' % name, conf)
        self.log = open(self.dir + '.log', 'ab')
        roles.append(self)

    def tool(self, *words):
        return run(SILD, *self.words, *words, '--config', self.conf)

    def must(self, *words):
        return good(SILD, *self.words, *words, '--config', self.conf)

    def start(self):
        path = self.dir + '.notify'
        if os.path.exists(path):
            os.unlink(path)
        note = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        note.bind(path)
        note.settimeout(1)
        self.process = subprocess.Popen([SILD, *self.words, '--config', self.conf], stdout=self.log, stderr=self.log,
                                        env=dict(os.environ, NOTIFY_SOCKET=path))
        until = time.monotonic() + READY_S
        while True:
            try:
                if b'READY=1' in note.recv(4096):
                    break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.kill()
                    raise RuntimeError('%s is not ready: %s' % (self.name, self.tail()))
        note.close()
        self.children = self.below()
        return self

    def below(self):
        pid = self.process.pid
        try:
            return [int(p) for p in pathlib.Path('/proc/%d/task/%d/children' % (pid, pid)).read_text().split()]
        except OSError:
            return []

    def kill_child(self, name):
        """kill -9 for one process of the role; returns once all of it is ready again."""
        for pid in self.below():
            if ('\0--child\0%s\0' % name).encode() in pathlib.Path('/proc/%d/cmdline' % pid).read_bytes():
                os.kill(pid, signal.SIGKILL)
                break
        else:
            raise RuntimeError('no child %s' % name)
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            time.sleep(0.1)
            if not os.path.exists('/proc/%d/cmdline' % pid) and '"ready":true' in self.how():
                self.children = self.below()
                return
        raise RuntimeError('%s is not ready again: %s' % (self.name, self.tail()))

    def how(self):
        """What its control socket says."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(5)
                s.connect(self.dir + '/control.sock')
                s.sendall(b'status\n')
                data = b''
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        return data.decode()
                    data += piece
        except OSError as e:
            return str(e)

    def kill(self):
        """kill -9 for the whole role, at once."""
        if self.process is None:
            return
        children = sorted(set(self.below() + self.children))
        for pid in [self.process.pid] + children:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait()
        while any(alive(pid) for pid in children):
            time.sleep(0.01)
        self.process, self.children = None, []

    def stop(self):
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self.process, self.children = None, []
        return code

    def tail(self):
        return open(self.log.name, errors='replace').read()[-3000:]
