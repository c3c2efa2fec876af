"""What the bad_… tests are made of: a country of three gateways, a case that prints the fault code it expects and the
one that it saw, and the count of records that both message logs must hold in the end.

A test is a function named bad_…; it gets a Case. After each one a good exchange must succeed. ONLY=names (separated
by blanks) runs some of them.
"""
import glob, json, os, re, shutil, socket, ssl, sys, time, traceback
from exchange_kit import *
from country_kit import *
import exchange_kit as kit

APP, SPS = 'TEST/GOV/100/app', '/r1/TEST/GOV/200/data/'
CP, SP = 'server.clientproxy.', 'server.serverproxy.'
NEAR, FAR, LONE, ODD = '127.0.63.11', '127.0.63.12', '127.0.63.14', '127.0.63.15'
RELAY_PORT = 5600
STEP = re.compile(r'\. Next step: .{20,}', re.S)
ONLY = os.environ.get('ONLY', '').split()
tests, servers = [], {}
system = System()


class Skipped(Exception):
    """What this machine lacks for a test."""


class Case:
    """One test: what it saw, what was wrong, and how many records each log must have got."""

    def __init__(self, name):
        self.name, self.wrong, self.codes = name, [], []

    def check(self, ok, what, detail=''):
        if not ok:
            self.wrong.append('%s: %s' % (what, str(detail)[:1500]))
        return ok

    def seen(self, what, expected, seen):
        """One fault; the lines are printed, the point's name gets the codes."""
        print('# %s: %s: expected %s, seen %s' % (self.name, what, expected, seen), flush=True)
        if (expected, seen) not in self.codes:
            self.codes.append((expected, seen))
        self.check(expected == seen, '%s: expected %s, seen' % (what, expected), seen)

    def sentence(self, what, text, says):
        """A person can act on it: it names these things, and the next step."""
        for word in [says] if isinstance(says, str) else says:
            self.check(re.search(word, text), '%s: the sentence names %r' % (what, word), text)
        self.check(STEP.search(text), '%s: the sentence says the next step' % what, text)

    def fault(self, what, answer, code, says=(), near=0, far=0, log=None, status=500):
        """The answer is this fault, whole: code in header and body, sentence, id; the id is in the log of who raised it. near, far: records that the
        exchange leaves in their logs, one or (least, most)."""
        self.count(near, far)
        self.seen(what, '%s %d' % (code, status), '%s %s' % (answer.get('x-road-error') or 'no fault', answer.status))
        try:
            body = json.loads(answer.body)
        except ValueError:
            body = {}
        form = (list(body) == ['type', 'message', 'detail'] and body['type'] == answer.get('x-road-error') and
                answer.get('content-type') == 'application/json' and re.fullmatch(r'[0-9a-f-]{36}', body['detail'] or ''))
        if not self.check(form, '%s: the fault has its form' % what, answer):
            return body
        self.sentence(what, body['message'] or '', says)
        log = log or servers['near' if code.startswith(CP) else 'far']
        self.check(until(lambda: body['detail'] in open(log.log, errors='replace').read(), 10), "%s: the fault's id is in the log of %s" % (what, log.name), body['detail'])
        return body

    def refused(self, what, status, body, code, says=()):
        """An HTTP server's own refusal: a status and a sentence, no fault."""
        text = body.decode('utf-8', 'replace')
        self.seen(what, 'HTTP %d' % code, 'HTTP %s' % status)
        self.sentence(what, text, says)

    def good(self, what='', path=SPS + 'echo/x', records=True, **kw):
        """An exchange that succeeds."""
        a = ask('GET', path, [('X-Road-Id', new_id())], **kw)
        if a.status == 200 and records:
            ids.append(a.get('x-road-id'))
            self.count(2, 2)
        self.check(a.status == 200, 'a good exchange succeeds %s' % what, a)
        return a.status == 200

    @staticmethod
    def count(near, far):
        for side, n in (NEAR, near), (FAR, far):
            least, most = n if isinstance(n, tuple) else (n, n)
            records[side][0] += least
            records[side][1] += most


# ---- the country

DEAD = 'http://%s:9/is' % IS
NEAR_TEXT = '''
[client TEST/GOV/100]
[client TEST/GOV/100/app]
[client TEST/GOV/100/other]
[client TEST/GOV/100/ghost]
[client TEST/GOV/100/retired]
status = disabled
[client TEST/GOV/100/secure]
connection = https
[client TEST/GOV/100/mutual]
connection = https-certificate
certificate = %s/isclient.pem
[client TEST/GOV/100/bare]
connection = https-certificate
''' % TMP
FAR_TEXT = '''
[client TEST/GOV/200/data]
[client TEST/GOV/200/closed]
status = disabled
''' + ''.join([
    service('echo', allow=(APP, 'TEST/GOV/100/ghost', 'TEST/COM/400/app', 'TEST/GOV/300/odd')), service('nobody', allow=()),
    service('bypath', allow=(APP + ' GET /*/a/*', APP + ' POST /*/b/**', APP + ' * /*/c', APP + ' GET **.json')),
    service('byglobal', allow=('global:TEST/users',)), service('bymember', allow=('TEST/GOV/100',)),
    service('off', more='disabled = closed for repairs until noon\n'), service('nourl', url=[]), service('down', DEAD),
    service('nohost', 'http://no-such-host.invalid/is'), service('hasty', more='timeout = 1s\n'), service('keep', more='keep_bodies = yes\n'),
    service('tlswrong', 'https://%s:%d/is' % (IS, IS_TLS_PORT), more='tls_certificate = %s/otherserver.pem\n' % TMP),
    service('tlsnone', 'https://%s:%d/is' % (IS, IS_TLS_PORT)),
])
MEMBERS = {'GOV/100': ['app', 'other', 'ghost', 'retired', 'secure', 'mutual', 'bare'], 'GOV/200': ['data', 'absent', 'closed'], 'GOV/300': ['odd'], 'COM/400': ['app', 'srv']}


class Bad:
    """The country of these tests: near asks, far answers; with lone=True a third gateway, whose way to far goes by lone_port. odd is a server that
    the test itself plays."""

    def __init__(self, lone=False, lone_port=RELAY_PORT):
        for name in 'isclient', 'stranger', 'isserver', 'otherserver':
            certificate(name)
        owner_key()
        self.country = Country()
        auth, sign = ('authentication', None), 'signing'
        self.near = gateway('near', 'GOV/100/ss1', NEAR, {'auth': auth, 'sign': (sign, 'GOV/100')}, NEAR_TEXT)
        self.far = gateway('far', 'GOV/200/ss2', FAR, {'auth': auth, 'sign': (sign, 'GOV/200')}, FAR_TEXT)
        self.gateways = [self.near, self.far]
        self.kinds = [(self.near, 'auth', 'p256', 'auth', 'GOV/100', 'ss1'), (self.near, 'sign', 'p256', 'sign', 'GOV/100', 'ss1'),
                      (self.far, 'auth', 'rsa2048', 'auth', 'GOV/200', 'ss2'), (self.far, 'sign', 'p256', 'sign', 'GOV/200', 'ss2')]
        subs = lambda m: [m] + ['%s/%s' % (m, s) for s in MEMBERS[m] if s != 'ghost']
        self.servers = {'GOV/100/ss1': (NEAR, self.near, subs('GOV/100')), 'GOV/200/ss2': (FAR, self.far, subs('GOV/200')), 'GOV/300/odd': (ODD, None, subs('GOV/300'))}
        if lone:
            self.lone = gateway('lone', 'COM/400/ss4', LONE, {'auth': auth, 'sign': (sign, 'COM/400')}, '[client TEST/COM/400/app]\n[client TEST/COM/400/srv]\n' +
                                service('echo', provider='400/srv').replace('GOV/400', 'COM/400'), 1, lone_port)
            self.gateways.append(self.lone)
            self.kinds += [(self.lone, 'auth', 'rsa2048', 'auth', 'COM/400', 'ss4'), (self.lone, 'sign', 'p256', 'sign', 'COM/400', 'ss4')]
            self.servers['COM/400/ss4'] = (LONE, self.lone, subs('COM/400'))
        servers.update(near=self.near, far=self.far)

    def found(self, more=()):
        self.country.found(self.gateways, self.kinds, MEMBERS, self.servers, [['group', 'add', 'users', 'Users'], ['group', 'join', 'users', 'GOV/100/other'], *more])
        system.listen(IS, IS_PORT)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(TMP + '/isserver.pem', TMP + '/isserver.key')
        system.listen(IS, IS_TLS_PORT, tls)


ids, records, begun = [], {NEAR: [0, 0], FAR: [0, 0]}, [0]


def new_id():
    begun[0] += 1
    return 'bad-%d-end' % begun[0]


def bad(f):
    """Decorator: a test, in the order of the file."""
    tests.append((f.__name__, f))
    return f


def add(name, f):
    """A test that is made by a loop."""
    tests.append((name, f))


def run_one(name, f, after=True):
    c = Case(name)
    try:
        f(c)
    except Skipped as why:
        kit.skip(name, why)
        return
    except Exception:
        c.wrong.append(traceback.format_exc())
    try:
        if after:
            c.good('afterwards')
    except Exception:
        c.wrong.append('afterwards: ' + traceback.format_exc())
    said = '; '.join('expected %s, seen %s' % pair for pair in c.codes) or 'as described'
    kit.result(not c.wrong, '%s: %s' % (name, said), '\n'.join(c.wrong))


def lost_in(g):
    """The acknowledged exchanges of which a log does not have request and answer."""
    data = b''.join(open(p, 'rb').read() for p in sorted(glob.glob(g.dir + '/messagelog/*.seg')))
    return [i for i in ids if data.count(i.encode()) < 2]


def logs_hold_everything():
    """Each acknowledged exchange is in both logs, and nothing is there that is not accounted for."""
    for side, g in (NEAR, servers['near']), (FAR, servers['far']):
        g.stop()
        v = verified(g)
        least, most = records[side]
        n = v['messages'] if isinstance(v, dict) else -1
        kit.result(least <= n <= most, '%s: the whole log verifies and holds the %s records of what was exchanged' % (g.name, least if least == most else '%d to %d' % (least, most)),
                   '%d to %d expected\n%s' % (least, most, v))
        lost = lost_in(g)
        kit.result(not lost, '%s: request and answer of all %d acknowledged exchanges are in the log' % (g.name, len(ids)), lost[:5])


def main(found):
    """found: brings the country up. The rest is the same in every file."""
    if os.environ.get('LIST'):
        print('\n'.join(name for name, _ in tests))
        shutil.rmtree(TMP, ignore_errors=True)
        sys.exit(0)
    unknown = set(ONLY) - {name for name, _ in tests}
    chosen = [(n, f) for n, f in tests if not ONLY or n in ONLY]
    if chosen and not unknown:
        try:
            found()
            run_one('the country exchanges before anything bad happens', lambda c: None)
            for name, f in chosen if not kit.failed else ():
                run_one(name, f)
            logs_hold_everything()
        except Exception:
            kit.result(False, 'the test runs to its end', traceback.format_exc() + ''.join(g.tail()[-1500:] for g in servers.values()))
    else:
        kit.result(False, 'there is such a test', ' '.join(unknown))
    finish()


# ---- raw bytes

def raw_ask(data, at=(NEAR, 8080), tls=None, timeout=30):
    """Sends bytes as they are; (status, headers, body) of the first answer, status 0 when there is none, and what came after it."""
    s = socket.create_connection(at, timeout)
    s.settimeout(timeout)
    if tls:
        s = tls.wrap_socket(s)
    with s:
        got = b''
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                got += piece
        except OSError:
            pass
    head, _, body = got.partition(b'\r\n\r\n')
    m = re.match(rb'HTTP/1\.1 (\d+)', head)
    return (int(m.group(1)) if m else 0), head, body


def flood(sock, begin, line, most=10 << 30, seconds=60):
    """Sends `begin` and then header lines without end until the other side refuses; how many bytes went out."""
    block, sent, end = line * (65536 // len(line)), 0, time.monotonic() + seconds
    try:
        sock.sendall(begin)
        while sent < most and time.monotonic() < end:
            sock.sendall(block)
            sent += len(block)
    except OSError:
        pass
    return sent
