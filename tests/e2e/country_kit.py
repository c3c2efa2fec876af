"""A small country for the tests of the exchange: one authority, one trust, gateways as the test names them, the
information system of exchange_kit.py behind them."""
import base64, glob, json, os, ssl, subprocess
from exchange_kit import AUTHORITY, IS, IS_PORT, TMP, TRUST, Role, ask, many, sild


def run(*args):
    return subprocess.run(args, capture_output=True, check=True).stdout


def certificate(name):
    """A self-signed certificate for TLS with information systems, and its key, below TMP."""
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=' + name,
        '-keyout', '%s/%s.key' % (TMP, name), '-out', '%s/%s.pem' % (TMP, name))


def owner_key():
    """The key to which kept bodies are sealed."""
    run('openssl', 'genpkey', '-algorithm', 'X25519', '-out', TMP + '/owner.key')
    run('openssl', 'pkey', '-in', TMP + '/owner.key', '-pubout', '-out', TMP + '/owner.pub')


def gateway(name, server, host, keys, text, workers=2, peer_port=5500):
    """keys: {name: (use, member or None)}."""
    conf = '''[gateway]
server = TEST/%s
anchor = ../anchor.xml
http = %s:8080
https = %s:8443
peer = %s:5500
ocsp = %s:5577
peer_port = %d
workers = %d
config_interval = 1s
[log]
time_stamping = http://%s:8899/
stamp_interval = 1s
stamp_failure = 3s
body_max = 200k
owner_key = %s/owner.pub
''' % (server, host, host, host, host, peer_port, workers, TRUST, TMP)
    for key, (use, member) in keys.items():
        conf += '[key %s]\nuse = %s\ncertificate = certs/%s.der\n' % (key, use, key)
        if member:
            conf += 'member = TEST/%s\n' % member
    return Role('gateway', name, conf + text)


def service(name, url='http://%s:%d/is' % (IS, IS_PORT), allow=('TEST/GOV/100/app',), more='', provider='200/data'):
    urls = [url] if isinstance(url, str) else url
    return '[service TEST/GOV/%s/%s]\n' % (provider, name) + ''.join('url = %s\n' % u for u in urls) + ''.join('allow = %s\n' % a for a in allow) + more


class Country:
    """kinds: for each key (gateway, its name, algorithm, use, member, server code). members: {member: subsystems}. servers: {id: (address, gateway or
    None, clients)}. The roles are made at once and started by found()."""

    def __init__(self):
        self.trust = Role('trust', 'trust', '''[trust]
name = Test Trust
ocsp_listen = %s:8888
ocsp_url = http://%s:8888/
tsa_listen = %s:8899
tsa_url = http://%s:8899/
''' % (TRUST, TRUST, TRUST, TRUST))
        self.authority = Role('authority', 'authority', '''[authority]
instance = TEST
listen = %s:4080
address = %s:4080
url = http://%s:4080
''' % (AUTHORITY, AUTHORITY, AUTHORITY))

    def words(self, *args):
        """A change at the authority."""
        return sild('authority', *args, '--config', self.authority.conf)

    def issue(self, g, key, kind, use, member, server):
        with open('%s/certs/%s.csr' % (g.dir, key), 'w') as f:
            if kind.startswith('rsa') and use == 'auth':  # made elsewhere and imported: a relay needs it, too
                pem = g.dir + '.auth.key'
                run('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:' + kind[3:], '-out', pem)
                sild('gateway', 'key', 'import', key, pem, '--config', g.conf)
                f.write(run('openssl', 'req', '-new', '-key', pem, '-subj', '/CN=' + key).decode())
            else:
                f.write(sild('gateway', 'key', 'new', key, kind, '--config', g.conf).stdout)
        cls, code = member.split('/')
        pem = sild('trust', 'issue', '--config', self.trust.conf, '--kind', use, '--csr', f.name, '--instance', 'TEST', '--class', cls, '--code', code,
                   '--name', 'Member ' + code, '--server', server).stdout
        with open('%s/certs/%s.der' % (g.dir, key), 'wb') as f:
            f.write(ssl.PEM_cert_to_DER_cert(pem))
        with open('%s.%s.pem' % (g.dir, key), 'w') as f:
            f.write(pem)

    def found(self, gateways, kinds, members, servers, more=()):
        """The country, from nothing; `more` are further words at the authority. The gateways are started, and ready."""
        sild('trust', 'init', '--config', self.trust.conf)
        sild('authority', 'init', '--config', self.authority.conf)
        self.trust.start(), self.authority.start()
        self.trust.ready(), self.authority.ready()
        for bad in [r for r in many([lambda k=k: self.issue(*k) for k in kinds], 2) if r is not None]:
            raise bad
        t = self.trust.dir + '/certs/'
        for line in (['class', 'add', 'GOV', 'Government'], ['class', 'add', 'COM', 'Companies'],
                     ['ca', 'add', 'Trust', t + 'ca.der', 'Ejbca', 'http://%s:8888/' % TRUST], ['ca', 'ocsp', 'Trust', t + 'ocsp.der'],
                     ['tsa', 'add', 'Stamps', t + 'tsa.der', 'http://%s:8899/' % TRUST]):
            self.words(*line)
        for member, subsystems in members.items():
            self.words('member', 'add', *member.split('/'), 'Member ' + member)
            for s in subsystems:
                self.words('subsystem', 'add', member, s, 'Subsystem ' + s)
        for server, (address, role, clients) in servers.items():
            owner, _, code = server.rpartition('/')
            self.words('server', 'add', owner, code, address)
            if role is not None:
                self.words('cert', 'add', server, role.dir + '/certs/auth.der')
            for c in clients:
                if c != owner:
                    self.words('client', 'add', server, c)
        for line in more:
            self.words(*line)
        self.words('setting', 'set', 'management', 'GOV/200')
        self.words('setting', 'set', 'registration_address', 'https://%s:4001/' % AUTHORITY)
        with open(TMP + '/anchor.xml', 'w') as f:
            f.write(sild('authority', 'anchor', '--config', self.authority.conf).stdout)
        for g in gateways:
            g.start()
        for g in gateways:
            g.ready()


def arrives(*gateways):
    """What the authority knows now reaches these gateways."""
    for g in gateways:
        g.control('agent refresh')


def error(at, path, client):
    a = ask('GET', path, at=at, client=client)
    return a.get('x-road-error') or a.status


def serial(g, key):
    return run('openssl', 'x509', '-inform', 'DER', '-in', '%s/certs/%s.der' % (g.dir, key), '-noout', '-serial').decode().strip().partition('=')[2]


def base64_in(g, key):
    """Whether the log of a gateway has signatures with this certificate."""
    text = base64.b64encode(open('%s/certs/%s.der' % (g.dir, key), 'rb').read())[:60]
    return any(text in open(p, 'rb').read() for p in glob.glob(g.dir + '/messagelog/*.seg'))


def child(g, name):
    return next(c for c in g.status()['children'] if c['name'] == name)


def verified(g):
    """Counts of a gateway's message log, every signature and time-stamp in it verified; or what is wrong with it."""
    r = sild('journal', 'verify', g.dir + '/messagelog', '--signatures', '--json', check=False, timeout=120)
    return json.loads(r.stdout) if r.returncode == 0 else r.stdout + r.stderr


