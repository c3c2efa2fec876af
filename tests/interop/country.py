"""A small country for the checks against X-Road: one authority, one trust, and gateways of ours, with a server of
X-Road's registered beside them. Built on the kit of tests/e2e."""
import sys
sys.dont_write_bytecode = True
import os, ssl, subprocess, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from exchange_kit import *
import exchange_kit as kit

PEER = os.environ.get('XROAD_PEER', '')
NEAR, FAR = '127.0.63.11', '127.0.63.12'
APP, DATA = 'TEST/GOV/100/app', 'TEST/GOV/200/data'
# Our gateways: folder, address, server, kind of the signing key. Requests are signed by the one, responses by the other.
NEAR_SERVER, FAR_SERVER = 'GOV/100/ss1', 'GOV/200/ss2'
PEER_S = 120  # a JVM of X-Road's may take this long to say anything

trust = authority = near = far = None
system = System()
at_end = []


def need(*programs):
    """Ends the test as skipped where the peer, or one of its launch scripts, is not there."""
    if not PEER:
        print('1..0 # SKIP no peer: XROAD_PEER=DIR names the folder with X-Road, see tests/interop/README')
        sys.exit(0)
    for p in programs:
        if not os.access(os.path.join(PEER, 'bin', p), os.X_OK):
            print('1..0 # SKIP the peer has no bin/%s: %s' % (p, PEER))
            sys.exit(0)


def peer(program, *args, stdin='', timeout=PEER_S, env=None):
    """One of X-Road's programs, until it ends."""
    return subprocess.run([os.path.join(PEER, 'bin', program), *args], input=stdin, capture_output=True, text=True, errors='replace',
                          timeout=timeout, env=dict(os.environ, **(env or {})))


def gateway(name, server, host, log, text):
    return Role('gateway', name, '''[gateway]
server = TEST/%s
anchor = ../anchor.xml
http = %s:8080
peer = %s:5500
ocsp = %s:5577
config_interval = 1s
[log]
time_stamping = http://%s:8899/
stamp_interval = 1s
%s[key auth]
use = authentication
certificate = certs/auth.der
[key sign]
use = signing
certificate = certs/sign.der
member = TEST/%s
%s''' % (server, host, host, host, TRUST, log, server.rpartition('/')[0], text))


def service(name, more=''):
    return '[service %s/%s]\nurl = http://%s:%d/is\nallow = %s\n%s' % (DATA, name, IS, IS_PORT, APP, more)


def words(*args):
    """A change at the authority."""
    return sild('authority', *args, '--config', authority.conf)


def certify(csr, kind, server, out):
    """A certificate of our CA, in DER."""
    owner, _, code = server.rpartition('/')
    cls, member = owner.split('/')
    pem = sild('trust', 'issue', '--config', trust.conf, '--kind', kind, '--csr', csr, '--instance', 'TEST', '--class', cls, '--code', member,
               '--name', 'Member ' + member, '--server', code).stdout
    with open(out, 'wb') as f:
        f.write(ssl.PEM_cert_to_DER_cert(pem))


def register(server, address, auth, clients):
    """A security server with its owner, authentication certificate and clients, made known to all."""
    owner, _, code = server.rpartition('/')
    words('member', 'add', *owner.split('/'), 'Member ' + owner)
    words('server', 'add', owner, code, address)
    words('cert', 'add', server, auth)
    for c in clients:
        words('subsystem', 'add', owner, c.rpartition('/')[2], 'Subsystem ' + c)
        words('client', 'add', server, c)


KEYS = {'near auth': 'rsa2048', 'near sign': 'p256', 'far auth': 'rsa2048', 'far sign': 'rsa2048'}


def found(keys={}, services=None, log=''):
    """Authority and trust run, both gateways have keys and are registered; no gateway runs yet. keys: kinds other than
    KEYS; services: far's, in place of `echo`."""
    global trust, authority, near, far
    trust = Role('trust', 'trust', '[trust]\nname = Test Trust\nocsp_listen = %s:8888\nocsp_url = http://%s:8888/\n'
                 'tsa_listen = %s:8899\ntsa_url = http://%s:8899/\n' % (TRUST, TRUST, TRUST, TRUST))
    # No port in the authority's URL: X-Road's client makes its further URLs from the address.
    authority = Role('authority', 'authority', '[authority]\ninstance = TEST\nlisten = %s:80\naddress = %s\nurl = http://%s\n'
                     % (AUTHORITY, AUTHORITY, AUTHORITY))
    near = gateway('near', NEAR_SERVER, NEAR, log, '[client %s]\n' % APP)
    far = gateway('far', FAR_SERVER, FAR, log, '[client %s]\n' % DATA + (services or service('echo')))
    sild('trust', 'init', '--config', trust.conf)
    sild('authority', 'init', '--config', authority.conf)
    trust.start(), authority.start()
    trust.ready(), authority.ready()
    t = trust.dir + '/certs/'
    for line in (['class', 'add', 'GOV', 'Government'], ['class', 'add', 'COM', 'Companies'],
                 ['ca', 'add', 'Trust', t + 'ca.der', 'Ejbca', 'http://%s:8888/' % TRUST], ['ca', 'ocsp', 'Trust', t + 'ocsp.der'],
                 ['tsa', 'add', 'Stamps', t + 'tsa.der', 'http://%s:8899/' % TRUST]):
        words(*line)
    kinds = {**KEYS, **keys}
    for g, server, address, client in (near, NEAR_SERVER, NEAR, APP), (far, FAR_SERVER, FAR, DATA):
        for key in 'auth', 'sign':
            kind = kinds['%s %s' % (g.name, key)]
            csr = '%s/certs/%s.csr' % (g.dir, key)
            with open(csr, 'w') as f:
                f.write(sild('gateway', 'key', 'new', key, kind, '--config', g.conf).stdout)
            certify(csr, key, server, '%s/certs/%s.der' % (g.dir, key))
        register(server, address, g.dir + '/certs/auth.der', [client.removeprefix('TEST/')])
    words('setting', 'set', 'management', 'GOV/200')
    words('setting', 'set', 'registration_address', 'https://%s:4001/' % AUTHORITY)
    with open(TMP + '/anchor.xml', 'w') as f:
        f.write(sild('authority', 'anchor', '--config', authority.conf).stdout)


def start():
    for g in near, far:
        g.start()
    for g in near, far:
        g.ready()
    system.listen(IS, IS_PORT)


def run(*checks):
    """Runs the checks, stops everything, and ends with the right exit code."""
    for c in checks:
        group(c)
    for f in at_end:
        f()
    finish()
