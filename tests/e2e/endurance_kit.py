"""What the endurance tests are made of: a country of two gateways, clients that stay connected and know what was acknowledged to them,
and a reader of message logs that says which records are there."""
import collections, ctypes, glob, http.client, os, struct, sys, threading, time
from exchange_kit import *
from country_kit import *
import exchange_kit as kit

NEAR, FAR = '127.0.63.11', '127.0.63.12'
APP, SPS = 'TEST/GOV/100/app', '/r1/TEST/GOV/200/data/'
CP, SP = 'server.clientproxy.', 'server.serverproxy.'
MEMBERS = {'GOV/100': ['app', 'cert'], 'GOV/200': ['data']}
system = System()
ROUNDS = int(os.environ.get('ROUNDS', '1'))


class Pair:
    """near asks, far answers. change(text, gateway's name) may alter their configuration."""

    def __init__(self, change=lambda text, name: text, authority='', trust=''):
        self.country = Country()
        self.country.authority.write(self.country.authority.text + authority)
        self.country.trust.write(self.country.trust.text + trust)
        certificate('isclient')
        owner_key()
        auth, sign = ('authentication', None), 'signing'
        self.near = gateway('near', 'GOV/100/ss1', NEAR, {'auth': auth, 'sign': (sign, 'GOV/100')},
                            '[client TEST/GOV/100/app]\n[client TEST/GOV/100/cert]\nconnection = https-certificate\ncertificate = %s/isclient.pem\n' % TMP)
        self.far = gateway('far', 'GOV/200/ss2', FAR, {'auth': auth, 'sign': (sign, 'GOV/200')},
                           '[client TEST/GOV/200/data]\n' + service('echo', allow=('TEST/GOV/100/app', 'TEST/GOV/100/cert')))
        self.gateways = [self.near, self.far]
        for g in self.gateways:
            g.write(change(g.text, g.name))

    def found(self):
        kinds = [(g, k, 'p256', use, member, server) for g, member, server in ((self.near, 'GOV/100', 'ss1'), (self.far, 'GOV/200', 'ss2'))
                 for k, use in (('auth', 'auth'), ('sign', 'sign'))]
        self.country.found(self.gateways, kinds, MEMBERS, {'GOV/100/ss1': (NEAR, self.near, ['GOV/100/app', 'GOV/100/cert']),
                                                           'GOV/200/ss2': (FAR, self.far, ['GOV/200/data'])})
        system.listen(IS, IS_PORT)
        good = until(lambda: ask('GET', SPS + 'echo/first').status == 200)
        return result(good, 'a country of two gateways exchanges', self.near.tail() + self.far.tail())


# ---- clients

class Client:
    """A connection that is kept, of one address; each exchange has its own id and body."""
    lock, begun = threading.Lock(), 0

    def __init__(self, at=NEAR, source=None, tls=None, client=APP):
        self.at, self.source, self.tls, self.client, self.link = at, source and (source, 0), tls, client, None

    def once(self, timeout=60):
        """(id, status, X-Road-Error); what breaks the connection is thrown."""
        with Client.lock:
            Client.begun += 1
            name = 'endure-%d-%d' % (os.getpid(), Client.begun)
        try:
            if self.link is None:
                kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
                more = {'context': self.tls} if self.tls else {}
                self.link = kind(self.at, 8443 if self.tls else 8080, timeout=timeout, source_address=self.source, **more)
            self.link.request('POST', SPS + 'echo/x', body=name.encode(), headers={'X-Road-Client': self.client, 'X-Road-Id': name})
            r = self.link.getresponse()
            body = r.read()
            if r.status == 200 and json.loads(body)['sha256'] != hashlib.sha256(name.encode()).hexdigest():
                raise AssertionError('another answer')
            if r.will_close:
                self.close()
            return name, r.status, r.getheader('X-Road-Error')
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.link is not None:
            self.link.close()
        self.link = None


class Clients(Threads):
    """Clients that ask without end; what was acknowledged, and what was not."""

    def __init__(self, n=6, pause=0, **how):
        self.acked, self.bad, self.over, self.pause = [], [], threading.Event(), pause
        self.threads = [threading.Thread(target=self.run, args=(Client(**how),), daemon=True) for _ in range(n)]

    def run(self, client):
        while not self.over.is_set():
            try:
                name, status, error = client.once()
                if status == 200:
                    self.acked.append(name)
                    time.sleep(self.pause)
                    continue
                self.bad.append('%s %s' % (status, error))
            except Exception as e:
                self.bad.append(repr(e))
            time.sleep(0.05)
        client.close()

    def more(self, n=30, seconds=90):
        """n further exchanges succeed."""
        want = len(self.acked) + n
        return until(lambda: len(self.acked) >= want, seconds, 0.05)



# ---- message logs

def records(g):
    """(type, sequence, payload) of each record, in order, as the layout says (journal_record.c, segment.c)."""
    for path in sorted(glob.glob(g.dir + '/messagelog/*.seg')):
        with open(path, 'rb') as f:
            data = f.read()
        mark, at = data[16:20], 32
        while at + 32 <= len(data) and data[at:at + 4] in (b'SJR1', mark):
            length, kind, _, seq = struct.unpack_from('<IHHQ', data, at + 4)
            at += 32 + (8 if length >> 31 else 0)
            length &= 0x7fffffff
            yield kind, seq, data[at:at + length]
            at += length


def message(payload):
    """(side, response, id) of a message's record."""
    n = struct.unpack_from('<I', payload, 148)[0]
    return payload[1], payload[2], payload[152:152 + n].decode()


def stamped_by(payload):
    """The sequences under one time-stamp."""
    n = struct.unpack_from('<I', payload, 1)[0]
    at = 5 + n
    count = struct.unpack_from('<I', payload, at)[0]
    return [struct.unpack_from('<Q', payload, at + 4 + 72 * i)[0] for i in range(count)]


def missing(g, side, acked):
    """Acknowledged exchanges of which the log does not hold exactly request and response of this side."""
    have = collections.Counter(message(p) for kind, _, p in records(g) if kind == 1)
    return [i for i in acked if have[side, 0, i] != 1 or have[side, 1, i] != 1]


def check_logs(pair, acked, what):
    """Both logs, the gateways stopped: whole, and with both records of each acknowledged exchange."""
    for side, g in enumerate(pair.gateways):
        g.stop(30)
        v = verified(g)
        result(isinstance(v, dict) and v['messages'] >= 2 * len(acked), '%s: the whole log of %s verifies' % (what, g.name), v)
        lost = missing(g, side, acked)
        result(not lost and acked, '%s: request and answer of all %d acknowledged exchanges are in the log of %s' % (what, len(acked), g.name), lost[:5])


# ---- a disk of one's own

def own_mounts():
    """A mount namespace, whose mounts end with this process. False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:
        return False
    return libc.mount(b'none', b'/', None, 0x44000, None) == 0  # MS_REC | MS_PRIVATE


def small_disk(path, size):
    os.makedirs(path, exist_ok=True)
    if ctypes.CDLL(None).mount(b'tmpfs', path.encode(), b'tmpfs', 0, b'mode=700,size=%d' % size) != 0:
        raise OSError('no tmpfs at ' + path)


def fill(path):
    """Takes all the space that is left."""
    with open(path + '/filler', 'wb', 0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass


def free(path):
    os.unlink(path + '/filler')
