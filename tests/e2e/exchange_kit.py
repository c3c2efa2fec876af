"""What tests/e2e/exchange is made of: results, processes with a role, an information system that does
anything asked, and a client that sees every byte of an answer."""
import atexit, ctypes, fcntl, hashlib, json, os, re, select, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time, traceback, urllib.parse
from wait import until

SILD = os.path.abspath(os.environ.get('SILD', './build/sild'))
BUILD = os.path.abspath(os.environ.get('SILD_BUILD', os.path.dirname(SILD)))
TMP = tempfile.mkdtemp(prefix='sild-exchange-')
lock = open(os.path.join(tempfile.gettempdir(), 'sild-exchange.lock'), 'a')
if not os.environ.get('LIST'):  # which only names the tests
    fcntl.flock(lock, fcntl.LOCK_EX)  # the addresses are fixed: one such country at a time
IS, IS_PORT, IS_TLS_PORT = '127.0.63.21', 9000, 9443
AUTHORITY, TRUST = '127.0.63.1', '127.0.63.2'
count = failed = 0
roles = []


# ---- results

def result(ok, name, detail=''):
    global count, failed
    count += 1
    if not ok:
        failed += 1
        for line in str(detail).splitlines()[-30:]:
            print('# ' + line[:1000])
    print('%s %d - %s' % ('ok' if ok else 'not ok', count, name), flush=True)
    return ok


def skip(name, why):
    global count
    count += 1
    print('ok %d - %s # SKIP %s' % (count, name, why), flush=True)


def fault(name, answer, code, status=500, text=''):
    """The answer is X-Road's fault with this code, in body and header alike."""
    seen = answer.get('x-road-error') or 'no fault, status %s' % answer.status
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = {}
    whole = (answer.status == status and seen == code and body.get('type') == code and bool(body.get('message'))
             and list(body) == ['type', 'message', 'detail'] and answer.get('content-type') == 'application/json'
             and re.fullmatch(r'[0-9a-f-]{36}', body.get('detail') or '') is not None and text in (body.get('message') or ''))
    return result(whole, name, 'expected %s\nseen     %s %s\n%s' % (code, answer.status, seen, answer.body[:600]))


def group(checks):
    """Runs one function of checks; what it throws is a failure of its own."""
    began = time.monotonic()
    try:
        checks()
    except Exception:
        result(False, checks.__name__ + ' runs to its end', traceback.format_exc())
    if os.environ.get('TIMES'):
        print('# %5.1f s %s' % (time.monotonic() - began, checks.__name__), flush=True)


# ---- processes

def sild(*args, check=True, timeout=60):
    r = subprocess.run([SILD, *args], capture_output=True, text=True, timeout=timeout)
    if check and r.returncode:
        raise RuntimeError('sild %s: %s%s' % (' '.join(args), r.stdout, r.stderr))
    return r


def orphan():
    """Who loses this script stops."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Role:
    """One role with its folder, its configuration file and its process."""

    def __init__(self, role, name, text):
        self.role, self.name, self.dir = role, name, os.path.join(TMP, name)
        self.conf, self.log, self.process, self.env = '%s/%s.conf' % (self.dir, name), self.dir + '.log', None, {}
        os.makedirs(self.dir + '/certs', exist_ok=True)
        self.write(text)
        roles.append(self)

    def write(self, text):
        self.text = text
        with open(self.conf, 'w') as f:
            f.write(text)

    def start(self):
        self.note = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.dir + '/notify'
        if os.path.exists(path):
            os.unlink(path)
        self.note.bind(path)
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen([SILD, *self.role.split(), '--config', self.conf], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, NOTIFY_SOCKET=path, **self.env), start_new_session=True, preexec_fn=orphan)
        return self

    def ready(self):
        self.note.settimeout(0.2)
        end = time.monotonic() + 60
        while True:
            try:
                if b'READY=1' in self.note.recv(4096):
                    self.note.close()
                    return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError('%s is not ready: %s' % (self.name, self.tail()))

    def clock(self, seconds):
        """Its wall clock is wrong by so much from now on; called before the first start."""
        path = self.dir + '.clock'
        if not os.path.exists(path):
            with open(path, 'wb') as f:  # struct setting of clock.c: the first slot, at the usual rate
                f.write(b''.join(n.to_bytes(8, 'little') for n in (0, 0, 0, 1, 0, 0, 1)))
        with open(path, 'r+b') as f:
            f.seek(8)
            f.write(int(seconds * 10**9).to_bytes(8, 'little', signed=True))
        self.env = {'TEST_CLOCK': path, 'LD_PRELOAD': os.path.join(BUILD, 'tests/e2e/libtest-clock.so'),
                    'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', 'detect_leaks=0') + ':verify_asan_link_order=0'}

    def stop(self, seconds=20):
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        self.process = None
        return code

    def kill(self):
        if self.process is None:
            return
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None

    def pids(self):
        """The parent and all that descend from it."""
        parents = {}
        for name in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/stat' % name) as f:
                    parents[int(name)] = int(f.read().rsplit(')', 1)[1].split()[1])
            except OSError:
                pass
        out = [self.process.pid]
        for pid in out:
            out += [c for c, p in parents.items() if p == pid]
        return out

    def pss(self):
        """Sum of PSS in MiB."""
        total = 0
        for pid in self.pids():
            try:
                with open('/proc/%d/smaps_rollup' % pid) as f:
                    total += int(re.search(r'^Pss:\s+(\d+)', f.read(), re.M).group(1))
            except (OSError, AttributeError):
                pass
        return total / 1024

    def descriptors(self):
        return sum(len(os.listdir('/proc/%d/fd' % pid)) for pid in self.pids())

    def cpu(self):
        """Seconds of processor time so far."""
        total = 0
        for pid in self.pids():
            with open('/proc/%d/stat' % pid) as f:
                total += sum(map(int, f.read().rsplit(')', 1)[1].split()[11:13]))
        return total / os.sysconf('SC_CLK_TCK')

    def control(self, command, seconds=30):
        """One command to the control socket: its exit code and text."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(seconds)
        with s:
            s.connect(self.dir + '/control.sock')
            s.sendall(command.encode() + b'\n')
            data = b''
            while piece := s.recv(65536):
                data += piece
        head, _, text = data.partition(b'\n')
        return int(head.split()[0]), text.decode()

    def status(self):
        return json.loads(self.control('status')[1])

    def tail(self):
        with open(self.log, errors='replace') as f:
            return f.read()[-3000:]


def stop_all():
    for r in reversed(roles):
        try:
            r.kill()
        except Exception:
            traceback.print_exc()


atexit.register(stop_all)  # whatever happens
signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))


def finish():
    """Stops everything, looks for what the sanitizers said, and ends the program with the right exit code."""
    stop_all()
    for r in roles:
        if not os.path.exists(r.log):
            continue
        with open(r.log, errors='replace') as f:
            text = f.read()
        bad = [l for l in text.splitlines() if 'ERROR: AddressSanitizer' in l or 'runtime error' in l or 'assert' in l.lower()]
        result(not bad, '%s ran without a report of the sanitizers' % r.name, text[text.find(bad[0]):][:6000] if bad else '')
    print('1..%d' % count)
    if os.environ.get('KEEP'):
        print('# kept: ' + TMP)
    else:
        shutil.rmtree(TMP, ignore_errors=True)
    sys.exit(1 if failed else 0)


# ---- the client

class Answer:
    def __init__(self):
        self.status, self.reason, self.headers, self.body, self.size, self.sha256, self.cut = 0, b'', [], b'', 0, '', False

    def get(self, name):
        return next((v.decode('latin-1') for n, v in self.headers if n.decode('latin-1').lower() == name), None)

    def all(self, name):
        return [v for n, v in self.headers if n.decode('latin-1').lower() == name]

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return '%s %s %s%s' % (self.status, self.headers, self.body[:400], ' CUT' if self.cut else '')


class Reader:
    """Lines and counted bytes of a socket."""

    def __init__(self, sock, pause=0):
        self.sock, self.data, self.pause = sock, b'', pause

    def more(self):
        if self.pause:
            time.sleep(self.pause)
        piece = self.sock.recv(262144)
        self.data += piece
        return bool(piece)

    def line(self):
        while b'\n' not in self.data:
            if not self.more():
                raise EOFError
        line, _, self.data = self.data.partition(b'\n')
        return line.rstrip(b'\r')

    def take(self, n, sink):
        while n > 0:
            if not self.data and not self.more():
                raise EOFError
            sink(self.data[:n])
            n, self.data = n - len(self.data[:n]), self.data[n:]

    def rest(self, sink):
        while True:
            sink(self.data)
            self.data = b''
            if not self.more():
                return

    def headers(self):
        out = []
        while line := self.line():
            name, _, value = line.partition(b':')
            out.append((name, value.strip()))
        return out

    def body(self, get, sink, to_end):
        """A body framed as its headers say."""
        if 'chunked' in (get('transfer-encoding') or '').lower():
            while n := int(self.line().split(b';')[0], 16):
                self.take(n, sink)
                self.line()
            self.headers()
        elif get('content-length') is not None:
            self.take(int(get('content-length')), sink)
        elif to_end:
            self.rest(sink)


class Keep:
    """Counts and digests a body; keeps small ones."""

    def __init__(self, most=4 << 20):
        self.hash, self.size, self.data, self.most = hashlib.sha256(), 0, b'', most

    def __call__(self, piece):
        self.hash.update(piece)
        self.size += len(piece)
        if self.size <= self.most:
            self.data += piece


def ask(method, path, headers=(), body=None, client='TEST/GOV/100/app', at='127.0.63.11', tls=None, pieces=None, timeout=60, pause=0, chunked=False,
        raw=None, rcvbuf=0):
    """One request on a connection of its own; body as bytes, or `pieces` with (length, iterator)."""
    a, keep = Answer(), Keep()
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(timeout)
    sock.connect((at, 8443 if tls else 8080))
    if tls:
        sock = tls.wrap_socket(sock)
    with sock:
        if raw is None:
            lines = ['%s %s HTTP/1.1' % (method, path), 'Host: %s:8080' % at, 'Connection: close']
            if client is not None:
                lines.append('X-Road-Client: ' + client)
            if chunked:
                lines.append('Transfer-Encoding: chunked')
            elif body is not None:
                lines.append('Content-Length: %d' % len(body))
            elif pieces:
                lines.append('Content-Length: %d' % pieces[0])
            raw = '\r\n'.join(lines).encode('utf-8') + b'\r\n'
            for n, v in headers:
                raw += n.encode() + b': ' + (v if isinstance(v, bytes) else v.encode()) + b'\r\n'
            raw += b'\r\n'
            if chunked:
                for i in range(0, len(body), 1000):
                    raw += b'%x\r\n%s\r\n' % (len(body[i:i + 1000]), body[i:i + 1000])
                raw += b'0\r\n\r\n'
            elif body is not None:
                raw += body
        try:
            sock.sendall(raw)
            for piece in pieces[1] if pieces else ():
                sock.sendall(piece)
        except OSError:
            pass  # a server may answer and close before it has read everything
        r = Reader(sock, pause)
        try:
            while a.status < 200:
                status = r.line().split(b' ', 2)
                a.status, a.reason, a.headers = int(status[1]), status[2] if len(status) > 2 else b'', r.headers()
            if method != 'HEAD' and a.status not in (204, 304):
                r.body(a.get, keep, True)
        except (EOFError, ConnectionError):
            a.cut = True
    a.body, a.size, a.sha256 = keep.data, keep.size, keep.hash.hexdigest()
    return a


def many(jobs, threads=16):
    """Runs callables on threads; their values (or what they threw) in order."""
    out, it, lock = [None] * len(jobs), iter(range(len(jobs))), threading.Lock()

    def work():
        while True:
            with lock:
                i = next(it, None)
            if i is None:
                return
            try:
                out[i] = jobs[i]()
            except Exception as e:
                out[i] = e
    ts = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(jobs)))]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    return out


class Threads:
    """self.threads run until self.over is set, at the end of a with."""

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *a):
        self.over.set()
        for t in self.threads:
            t.join(90)


class Load(Threads):
    """Exchanges without end on some threads, until stopped; what went wrong is kept."""

    def __init__(self, job, threads=6):
        self.job, self.good, self.bad, self.over = job, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def run(self):
        while not self.over.is_set():
            try:
                a = self.job()
                if a.status == 200 and not a.cut:
                    self.good += 1
                    continue
            except Exception as e:
                a = e
            self.bad.append(a)
            time.sleep(0.1)

    def more(self, n=20):
        """n further good ones happen."""
        want = self.good + n
        return until(lambda: self.good >= want, 60)


# ---- the information system

class Request:
    def __init__(self, line, headers, keep):
        self.method, self.target = [p.decode('latin-1') for p in line.split(b' ')[:2]]
        self.headers, self.size, self.sha256, self.body = headers, keep.size, keep.hash.hexdigest(), keep.data

    def get(self, name):
        return next((v.decode('latin-1') for n, v in self.headers if n.decode('latin-1').lower() == name), None)

    def all(self, name):
        return [v for n, v in self.headers if n.decode('latin-1').lower() == name]


def http_answer(body=b'', status='200 OK', headers=(), length=True):
    """Bytes of an answer; headers as (name, value) of str or bytes."""
    out = b'HTTP/1.1 %s\r\n' % status.encode()
    for n, v in headers:
        out += n.encode() + b': ' + (v if isinstance(v, bytes) else v.encode()) + b'\r\n'
    if length:
        out += b'Content-Length: %d\r\n' % len(body)
    return out + b'\r\n' + body


class System:
    """The provider's information system. The path's segment after /is/ names a rule; a rule gets the request and the
    socket, and returns the bytes to send, or None to cut the connection. Without a rule it says what it was asked."""

    def __init__(self):
        self.rules, self.seen, self.early, self.lock, self.n = {}, {}, {}, threading.Lock(), 0

    def rule(self, act=None):
        """A fresh name, with its rule."""
        with self.lock:
            self.n += 1
            name = 't%d' % self.n
            self.rules[name], self.seen[name] = act, []
        return name

    def says(self, *args, **kw):
        out = http_answer(*args, **kw)
        return self.rule(lambda r, s: out)

    def listen(self, host, port, tls=None):
        sock = socket.create_server((host, port), backlog=512)
        threading.Thread(target=self.accept, args=(sock, tls), daemon=True).start()

    def accept(self, sock, tls):
        while True:
            s, _ = sock.accept()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(s, tls), daemon=True).start()

    def serve(self, s, tls):
        try:
            if tls:
                s = tls.wrap_socket(s, server_side=True)
            r = Reader(s)
            while True:
                line, keep = r.line(), Keep()
                q = Request(line, r.headers(), keep)
                name = urllib.parse.urlsplit(q.target).path.split('/')[2:3]
                name = name[0] if name else ''
                if name in self.early:  # before the body is read
                    s.sendall(self.early[name][0])
                    if self.early[name][1]:
                        s.shutdown(socket.SHUT_WR)
                        r.body(q.get, keep, False)
                    break
                r.body(q.get, keep, False)
                q = Request(line, q.headers, keep)
                q.tls_client = s.getpeercert(True) if tls else None
                with self.lock:
                    self.seen.setdefault(name, []).append(q)
                act = self.rules.get(name)
                out = act(q, s) if act else echo(q)
                if out is None:
                    break
                s.sendall(out)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def echo(q):
    body = json.dumps({'method': q.method, 'target': q.target, 'size': q.size, 'sha256': q.sha256,
                       'headers': [[n.decode('latin-1'), v.decode('latin-1')] for n, v in q.headers]}).encode()
    return http_answer(body if q.method != 'HEAD' else b'', headers=[('Content-Type', 'application/json')], length=q.method != 'HEAD')


def mirror(q, s):
    return http_answer(q.body, headers=[('Content-Type', 'application/octet-stream')])


# ---- between two servers

class Relay:
    """Carries messages from one server to another, knowing both their TLS keys; `request` and `response` may change
    head and (decoded) body on their way. A body of None: the connection breaks within it. `reply` gets the TLS socket and the
    answer's head and body, and says itself what the asking server hears; `meet` gets the bare socket before any TLS. After
    either the connection ends. `front` may be another TLS context for connections to come."""

    def __init__(self, at, to, server, client):
        self.at, self.to, self.server, self.client, self.request, self.response, self.requests = at, to, server, client, None, None, 0
        self.reply = self.meet = None

    def listen(self):
        self.front, self.back = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.back.check_hostname, self.back.verify_mode = False, ssl.CERT_NONE
        for c, who in (self.front, self.server), (self.back, self.client):
            c.load_cert_chain(who + '.auth.pem', who + '.auth.key')
            c.set_ciphers('DEFAULT@SECLEVEL=1:ECDHE-RSA-AES256-SHA384')
        sock = socket.create_server(self.at, backlog=64)
        threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            s, _ = sock.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            if self.meet:
                with s:
                    self.meet(s)
                return
            with self.front.wrap_socket(s, server_side=True) as a, self.back.wrap_socket(socket.create_connection(self.to, 30)) as b:
                ra, rb = Reader(a), Reader(b)
                while True:
                    head, body = self.message(ra)
                    self.requests += 1
                    if not self.pass_on(b, head, body, self.request):
                        return
                    head, body = self.message(rb)
                    if self.reply:
                        self.reply(a, head, body)
                        return
                    if not self.pass_on(a, head, body, self.response):
                        return
                    if not ra.data and b in select.select([a, b], [], [])[0]:
                        return  # the answering server closes what it does not keep open
        except (OSError, EOFError, ValueError):
            pass

    @staticmethod
    def message(r):
        lines = []
        while line := r.line():
            lines.append(line)
        head, keep = b'\r\n'.join(lines) + b'\r\n', Keep(64 << 20)
        get = lambda n: next((l.split(b':', 1)[1].strip().decode() for l in lines if l.lower().startswith(n.encode() + b':')), None)
        r.body(get, keep, lines[0].startswith(b'HTTP/'))
        return re.sub(rb'(?im)^(transfer-encoding|content-length):.*\r\n', b'', head), keep.data

    @staticmethod
    def pass_on(to, head, body, change):
        if change:
            head, body = change(head, body)
        if not head:
            return False
        length = 1000 if body is None else len(body)
        to.sendall(head + b'Content-Length: %d\r\n\r\n' % length + (b'--half' if body is None else body))
        return body is not None
