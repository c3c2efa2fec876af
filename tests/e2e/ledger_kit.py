"""What tests of a ledger share: journals that hand in heads, witnesses of the judge, and the reading of answers. Trees,
notes and proofs are written here anew from the reference, in Python: nothing of the product is used."""
import sys
sys.dont_write_bytecode = True
import atexit, base64, hashlib, http.client, os, pathlib, socket, struct, subprocess, time
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from role import Role, SHARED, SILD, free_port, good, run, tmp, write

JUDGE = os.path.join(SHARED, 'judges', 'ledger_judge.py')
WAIT_S = 60


# --- trees (RFC 6962)

def sha(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def leaf_hash(entry):
    return sha(b'\0', entry)


def root_of(leaves):
    if not leaves:
        return sha()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha(b'\1', root_of(leaves[:k]), root_of(leaves[k:]))


def consistency(leaves, m):
    """The proof from m leaves to all of them."""
    def sub(m, part, whole):
        n = len(part)
        if m == n:
            return [] if whole else [root_of(part)]
        k = 1 << ((n - 1).bit_length() - 1)
        if m <= k:
            return sub(m, part[:k], whole) + [root_of(part[k:])]
        return sub(m - k, part[k:], False) + [root_of(part[:k])]
    return sub(m, leaves, True) if 0 < m < len(leaves) else []


def path_root(leaf, index, size, path):
    """The root that an inclusion path leads to."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = sha(b'\1', p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b'\1', r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 and index < size else None


# --- keys and notes

def b64(b):
    return base64.b64encode(b).decode()


class Key:
    """An Ed25519 key with a name, as notes have it."""

    def __init__(self, name, seed=None):
        self.name, self.seed = name, seed or os.urandom(32)
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = sha(name.encode(), b'\n', b'\1', self.public)[:4]
        self.vkey = '%s+%s+%s' % (name, self.id.hex(), b64(b'\1' + self.public))

    def note(self, text):
        return '%s\n— %s %s\n' % (text, self.name, b64(self.id + self.private.sign(text.encode())))


class Journal(Key):
    """A journal: leaf i is its name and i. `other` makes another tree."""

    def leaves(self, size, other=b''):
        return [leaf_hash(b'%s %d %s' % (self.name.encode(), i, other)) for i in range(size)]

    def head(self, size, other=b''):
        return self.note('%s\n%d\n%s\n' % (self.name, size, b64(root_of(self.leaves(size, other)))))

    def request(self, old, size, other=b'', salt=None):
        proof = consistency(self.leaves(size, other), old)
        return ('private %s\n' % b64(salt) if salt else '') + 'old %d\n' % old + ''.join(b64(h) + '\n' for h in proof) + \
            '\n' + self.head(size, other)

    def entry(self, size, other=b''):
        return (self.vkey + '\n' + self.head(size, other)).encode()


def post(port, path, body, timeout=120):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        c.request('POST', path, body=body if isinstance(body, bytes) else body.encode())
        r = c.getresponse()
        return r.status, r.read(), r.getheader('Content-Type')
    finally:
        c.close()


def get(port, path):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
    try:
        c.putrequest('GET', path, skip_accept_encoding=True)
        c.endheaders()
        r = c.getresponse()
        return r.status, r.read(), dict((k.lower(), v) for k, v in r.getheaders())
    finally:
        c.close()


def until(what, condition, seconds=WAIT_S):
    """Waits for a condition; its value, or None when it did not come."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            print('# never: ' + what)
            return None
        time.sleep(0.1)


# --- answers

class Answer:
    """A ledger's answer to a head, taken apart and checked up to the checkpoint's root."""

    def __init__(self, text):
        lines = text.decode().split('\n')
        self.problems, at = [], 0

        def part(head):
            nonlocal at
            if lines[at] != head:
                raise ValueError('%r where %r belongs' % (lines[at], head))
            at += 1

        def entry():
            nonlocal at
            end = lines.index('', at)
            got = '\n'.join(lines[at:end + 2]) + '\n'
            at = end + 2
            if lines[at] != '':
                raise ValueError('no empty line behind an entry')
            at += 1
            return got.encode()

        def path():
            nonlocal at
            words = lines[at].split(' ')
            at += 1
            hashes = []
            while lines[at] != '':
                hashes.append(base64.b64decode(lines[at]))
                at += 1
            at += 1
            return int(words[1]), int(words[3]) if len(words) > 2 else None, hashes

        part('sild/answer@v1')
        self.entry = entry()
        self.salt = None
        if lines[at].startswith('private '):
            self.salt = base64.b64decode(lines[at][8:])
            at += 2
        leaf = leaf_hash(self.entry)
        if self.salt:
            leaf = leaf_hash(b'sild/commitment@v1\n' + base64.b64encode(sha(self.salt, self.entry)) + b'\n')
        self.aggregates = []
        while lines[at] == 'aggregate':
            part('aggregate')
            index, of, hashes = path()
            upper = entry()
            text = upper.decode().split('\n')
            self.aggregates.append(text[2])
            self.check(int(text[4]) == of and base64.b64decode(text[6]) == path_root(leaf, index, of, hashes), 'aggregate')
            leaf = leaf_hash(upper)
        part('round')
        self.index, self.entries, hashes = path()
        self.record = base64.b64decode(lines[at])
        at += 2
        magic, self.alg, self.round, self.time, entries, self.heads, root, self.previous = struct.unpack('>4sB3xQQQQ32s32s', self.record)
        self.check(magic == b'SRR1' and self.alg == 1 and entries == self.entries, 'record')
        self.check(path_root(leaf, self.index, self.entries, hashes) == root, 'path in the round')
        part('ledger')
        self.leaf, _, self.path = path()
        self.checkpoint = '\n'.join(lines[at:]).encode()
        origin, size, base = lines[at:at + 3]
        self.size = int(size)
        self.check(self.leaf == self.round, 'round is its leaf')
        self.check(path_root(leaf_hash(self.record), self.leaf, self.size, self.path) == base64.b64decode(base), 'path in the ledger')

    def check(self, ok, what):
        if not ok:
            self.problems.append(what)

    def tlog_proof(self):
        return ('c2sp.org/tlog-proof@v1\nindex %d\n' % self.leaf + ''.join(b64(h) + '\n' for h in self.path) + '\n').encode() + self.checkpoint


def records(port, size):
    """All round records of a ledger."""
    out = []
    for index in range((size + 255) // 256):
        width = min(256, size - 256 * index)
        path = index_path(index)
        status, body, _ = get(port, '/tile/entries/' + path + ('' if width == 256 else '.p/%d' % width))
        if status != 200:
            raise RuntimeError('bundle %d: %d' % (index, status))
        while body:
            n = struct.unpack('>H', body[:2])[0]
            out.append(body[2:2 + n])
            body = body[2 + n:]
    return out


def index_path(n):
    parts = ['%03d' % (n % 1000)]
    while n >= 1000:
        n //= 1000
        parts.insert(0, 'x%03d' % (n % 1000))
    return '/'.join(parts)


# --- witnesses of the judge

class Witness:
    all = []

    def __init__(self, name, mode='honest', *more):
        self.name, self.port, self.seed, self.mode, self.more = name, free_port(), os.urandom(32).hex(), mode, more
        self.state, self.process = os.path.join(tmp, name + '.witness'), None
        Witness.all.append(self)

    def start(self, mode=None):
        self.mode = mode or self.mode
        self.log = open(os.path.join(tmp, self.name + '.log'), 'ab')
        self.process = subprocess.Popen([sys.executable, JUDGE, 'fakewitness', '--listen', '127.0.0.1:%d' % self.port, '--seed-hex', self.seed,
                                         '--name', self.name, '--mode', self.mode, '--state', self.state, *self.more],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.vkey = self.process.stdout.readline().strip()
        self.out = self.process.stdout
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        self.process = None

    def line(self):
        return 'witness %s %s http://127.0.0.1:%d/' % (self.name, self.vkey, self.port)


@atexit.register
def end_witnesses():
    for w in Witness.all:
        w.kill()


class Ledger(Role):
    """A ledger in a folder of its own. witnesses: of the judge; k: how many are needed."""

    def __init__(self, folder, journals=(), witnesses=(), k=0, more=''):
        self.port, self.health = free_port(), free_port()
        super().__init__('ledger', folder, '[ledger]\norigin = %s.example\nlisten = 127.0.0.1:%d\nhealth = 127.0.0.1:%d\n%s' %
                         (folder, self.port, self.health, more))
        self.vkey = good(SILD, 'ledger', 'init', '--dir', self.dir, '--origin', folder + '.example').strip()
        self.url = 'http://127.0.0.1:%d/' % self.port
        self.vkey_file = write(self.dir + '.vkey', self.vkey + '\n')
        self.policy_file = self.dir + '/policy'
        self.set_journals(journals)
        self.set_policy(witnesses, k)

    def set_journals(self, journals):
        write(self.dir + '/journals', '# journals of a test\n' + ''.join(j.vkey + '\n' for j in journals))

    def set_policy(self, witnesses, k):
        text = 'log %s %s\n' % (self.vkey, self.url) + ''.join(w.line() + '\n' for w in witnesses)
        text += 'group all %d %s\nquorum all\n' % (k, ' '.join(w.name for w in witnesses)) if k else 'quorum none\n'
        write(self.policy_file, text.replace('group all ', 'group enough ').replace('quorum all', 'quorum enough'))

    def checkpoint(self):
        status, body, _ = get(self.port, '/checkpoint')
        return body if status == 200 else b''

    def size(self):
        text = self.checkpoint().split(b'\n')
        return int(text[1]) if len(text) > 2 else -1

    def grows(self, by=1, seconds=WAIT_S):
        start = self.size()
        return until('%s grows by %d' % (self.name, by), lambda: self.size() >= start + by, seconds)

    def judge(self, where=None, *more):
        """The judge's exit code and words."""
        code, out, err = run(sys.executable, JUDGE, 'log', where or self.url, '--vkey', self.vkey_file, '--full', *more)
        return code, out + err

    def metric(self, name):
        for line in get(self.health, '/metrics')[1].decode().splitlines():
            if line.startswith(name + ' ') or line.startswith(name + '{') and line.split(' ')[0] == name:
                return float(line.rsplit(' ', 1)[1])
        return None

    def healthz(self):
        status, body, _ = get(self.health, '/healthz')
        return status, body.decode()

    def control(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(30)
            s.connect(self.dir + '/control.sock')
            s.sendall(command.encode() + b'\n')
            data = b''
            while True:
                piece = s.recv(65536)
                if not piece:
                    return data.decode()
                data += piece
