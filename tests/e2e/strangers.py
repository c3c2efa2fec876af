"""A flood from strangers: processes, each from many loopback addresses of its own and with one way of being a nuisance. Used by the test of that name and by bench/flood."""
import collections, ctypes, itertools, json, multiprocessing, os, random, select, socket, ssl, struct, subprocess, tempfile, time

WAYS = ('silence', 'slowness', 'garbage', 'handshakes', 'strange certificates', 'unknown clients', 'connections')
OPEN_MAX = 400  # connections that one process keeps open


def address(way, n):
    return '127.%d.%d.%d' % (100 + WAYS.index(way), n // 200 % 200, 1 + n % 200)


def connect(way, n, to, wait=0.5):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # nothing is left of it
    s.settimeout(wait)
    s.bind((address(way, n), 0))
    s.connect(to)
    return s


def stay(held, s):
    """Kept open; the oldest goes."""
    held.append(s)
    while len(held) > OPEN_MAX:
        held.popleft().close()


def shake(way, n, to, context):
    with context.wrap_socket(connect(way, n, to, 2)) as s:
        s.settimeout(0.2)
        s.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
        s.recv(4096)


def once(way, n, host, held, context):
    """One attempt."""
    peer, edge = (host, 5500), (host, 8080)
    if way == 'silence':
        stay(held, connect(way, n, peer if n % 2 else edge))
    elif way == 'slowness':
        if n % 3 == 0 or not held:
            s = connect(way, n, edge)
            s.sendall(b'GET /r1/X/Y/Z HTTP/1.1\r\nX-Slow: ')
            stay(held, s)
        else:
            held[n % len(held)].send(b'a')
    elif way == 'garbage':
        with connect(way, n, peer if n % 2 else edge) as s:
            s.sendall(os.urandom(200) + b'\r\n\r\n')
            s.recv(4096)
    elif way in ('handshakes', 'strange certificates'):
        shake(way, n, peer, context)
    elif way == 'unknown clients':
        request = b'GET /r1/TEST/GOV/200/data/echo HTTP/1.1\r\nHost: x\r\nX-Road-Client: TEST/GOV/100/nobody%d\r\n\r\n' % n
        if not held:
            stay(held, connect(way, n, edge))
        held[0].sendall(request)
        if not held[0].recv(65536):
            raise ConnectionError
    else:
        connect(way, n, peer if n % 2 else edge).close()


def run(way, hosts, over, attempts, turned_away, rate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if way == 'strange certificates':
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=stranger', '-keyout', d + '/k', '-out', d + '/c'],
                           check=True, capture_output=True)
            context.load_cert_chain(d + '/c', d + '/k')
    held, began = collections.deque(), time.monotonic()
    for n in itertools.count(random.randrange(1000)):
        if over.is_set():
            return
        attempts.value += 1
        try:
            once(way, n, hosts[n % len(hosts)], held, context)
        except (OSError, ssl.SSLError):
            turned_away.value += 1
            if way in ('slowness', 'unknown clients') and held:
                held.popleft().close()
        if rate and attempts.value > rate * (time.monotonic() - began):
            time.sleep(0.005)


class Flood:
    """All ways at once. rate: attempts a second of each, at most; 0: as many as the machine gives."""

    def __init__(self, hosts, rate=0):
        self.over = multiprocessing.Event()
        self.attempts = {w: multiprocessing.Value('q', 0) for w in WAYS}
        self.turned_away = {w: multiprocessing.Value('q', 0) for w in WAYS}
        self.processes = [multiprocessing.Process(target=run, args=(w, hosts, self.over, self.attempts[w], self.turned_away[w], rate), daemon=True) for w in WAYS]

    def __enter__(self):
        for p in self.processes:
            p.start()
        return self

    def __exit__(self, *a):
        self.over.set()
        for p in self.processes:
            p.join(10)
            if p.is_alive():
                p.kill()

    def counts(self):
        return {w: (self.attempts[w].value, self.turned_away[w].value) for w in WAYS}
