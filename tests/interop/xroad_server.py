"""A security server of X-Road's: its signer and its proxy, with keys made by its signer and certified by our CA, the
global configuration fetched by its own client, and its databases in the proxy's memory."""
import ctypes, functools, os, pty, re, select, signal, socket, subprocess, threading, time
from country import *
import country

PIN = '1234'
XHOST, XSERVER, XSRV = '127.0.63.14', 'COM/300/xs1', 'TEST/COM/300/srv'
CLONE_NEWIPC = 0x08000000
try:  # its signer keeps the PIN in System V shared memory: in a namespace of this test's own it goes away with it
    ctypes.CDLL(None).unshare(CLONE_NEWIPC)
except (OSError, AttributeError):
    pass


class Jvm:
    """One of its long-running programs."""

    def __init__(self, server, program):
        self.program, self.log = program, '%s/%s.log' % (server.dir, program)
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen([os.path.join(PEER, 'bin', program)], cwd=server.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, JAVA_OPTS=server.options), start_new_session=True, preexec_fn=kit.orphan)

    def wait(self, line):
        """Until its log has it."""
        if not until(lambda: self.process.poll() is not None or line in self.text(), PEER_S, 0.3) or line not in self.text():
            raise RuntimeError('%s does not say "%s": %s' % (self.program, line, self.text()[-6000:]))

    def text(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class XRoadServer:
    def __init__(self, server, host, clients):
        """clients: identifiers without the instance; the first provides the services."""
        self.server, self.host, self.clients, self.dir, self.jvms = server, host, clients, TMP + '/xroad', []
        self.owner = server.rpartition('/')[0]
        for d in 'signer/softtoken', 'globalconf', 'ocsp', 'tmp', 'jetty', 'conf.d/addons':
            os.makedirs('%s/%s' % (self.dir, d))
        self.properties = {
            'conf.path': self.dir + '/', 'common.configuration-path': self.dir + '/globalconf', 'common.temp-files-path': self.dir + '/tmp/',
            'common.grpc-internal-tls-enabled': 'false', 'signer.key-configuration-file': self.dir + '/signer/keyconf.xml',
            'signer.device-configuration-file': self.dir + '/devices.ini', 'signer.ocsp-cache-path': self.dir + '/ocsp',
            'signer.password-store-ipc-key-pathname': self.dir, 'signer.enforce-token-pin-policy': 'false',
            'proxy.configuration-anchor-file': TMP + '/anchor.xml', 'proxy.database-properties': self.dir + '/db.properties',
            'proxy.connector-host': host, 'proxy.server-listen-address': host, 'proxy.ocsp-responder-listen-address': host,
            'proxy.client-http-port': '8080', 'proxy.client-https-port': '8443', 'appLog.path': self.dir,
            'message-log.archive-path': self.dir + '/tmp', 'common.global-conf-refresh-rate-seconds': '1', 'proxy.server-conf-cache-period': '1'}
        with open(self.dir + '/devices.ini', 'w') as f:
            f.write('[softToken]\ntype=software\nenabled=true\n')
        for name in 'clientproxy', 'serverproxy', 'ocsp-responder':  # no settings of its own
            with open('%s/jetty/%s.xml' % (self.dir, name), 'w') as f:
                f.write('<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "https://jetty.org/configure_10_0.dtd">\n'
                        '<Configure id="Server" class="org.eclipse.jetty.server.Server"></Configure>\n')

        self.internal_key()

    def internal_key(self):
        """What it shows to information systems."""
        name = self.dir + '/ssl/internal.'
        os.makedirs(self.dir + '/ssl')
        for args in (['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '9', '-subj', '/CN=' + self.host, '-keyout', name + 'key', '-out', name + 'crt'],
                     ['pkcs12', '-export', '-name', 'internal', '-inkey', name + 'key', '-in', name + 'crt', '-passout', 'pass:internal', '-out', name + 'p12']):
            subprocess.run(['openssl', *args], check=True, capture_output=True)

    @property
    def options(self):
        return '-Xmx512m ' + ' '.join('-Dxroad.%s=%s' % p for p in self.properties.items())

    def fetch(self):
        """The global configuration, by X-Road's client."""
        p = peer('configuration-client', TMP + '/anchor.xml', self.dir + '/globalconf', env={'JAVA_OPTS': self.options})
        if p.returncode:
            raise RuntimeError('its configuration client: %s%s' % (p.stdout, p.stderr))

    def start(self, program, line):
        j = Jvm(self, program)
        self.jvms.append(j)
        j.wait(line)
        return j

    def stop(self):
        for j in reversed(self.jvms):
            j.stop()

    def console(self, *command, answers=()):
        """One command at its signer's console, on a terminal, which asks for a PIN."""
        main, side = pty.openpty()
        p = subprocess.Popen([os.path.join(PEER, 'bin', 'signer-console'), *command], cwd=self.dir, stdin=side, stdout=side, stderr=side,
                             env=dict(os.environ, JAVA_OPTS=self.options), start_new_session=True, preexec_fn=kit.orphan)
        os.close(side)
        out, left, end = b'', list(answers), time.monotonic() + PEER_S
        while time.monotonic() < end:
            if not select.select([main], [], [], 1)[0]:
                continue
            try:
                piece = os.read(main, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
            if left and re.search(rb'PIN: *$', out):
                os.write(main, left.pop(0).encode() + b'\n')
        os.close(main)
        p.kill()
        p.wait()
        return out.decode(errors='replace').replace('\r', '')

    def key(self, label, algorithm, use):
        """A key of its signer's, certified by our CA; the certificate's file."""
        text = self.console('generate-key', '0', label, algorithm)
        ids = re.findall(r'^([0-9A-F]{40})$', text, re.M)
        if not ids:
            raise RuntimeError('its signer made no key: ' + text)
        member = '"TEST %s"' % self.owner.replace('/', ' ')
        text = self.console('generate-cert-request', ids[0], member, use[0], '"CN=%s"' % label, 'pem')
        csr, cert = '%s/%s.csr' % (self.dir, ids[0]), '%s/%s.der' % (self.dir, label)
        if not os.path.exists(csr):
            raise RuntimeError('its signer made no request: ' + text)
        certify(csr, use, self.server, cert)
        return cert

    def import_certificates(self, *files):
        """Its signer takes the certificates, and knows them as active and registered."""
        for cert in files:
            text = self.console('import-certificate', cert, '"TEST %s"' % self.owner.replace('/', ' '))
            if 'ERROR' in text or 'WARNING: certificate' in text:
                raise RuntimeError('its signer does not take the certificate: ' + text)
        for cert in re.findall(r'Cert: ([0-9A-F]{40}) \(registered', self.console('list-certs')):
            self.console('activate-certificate', cert)

    def database(self, services):
        """Its server configuration: what an administrator would enter by its pages. services: (code, URL, who may call); that
        with the code `off` is disabled; further (description's URL, endpoints), of which the first is what they may call."""
        rows, ids = [], iter(range(1, 1000))

        def insert(table, **columns):
            columns = {'id': next(ids), **columns}
            value = lambda v: 'null' if v is None else str(v).lower() if isinstance(v, (bool, int)) else "'%s'" % v
            rows.append('insert into %s (%s) values (%s);' % (table, ', '.join(columns), ', '.join(map(value, columns.values()))))
            return columns['id']

        @functools.cache  # one row each: its lookups take them so
        def identifier(name):
            cls, code, sub = (name.split('/') + [None])[:3]
            return insert('identifier', discriminator='C', type='SUBSYSTEM' if sub else 'MEMBER', xroadinstance='TEST', memberclass=cls,
                          membercode=code, subsystemcode=sub)
        conf = insert('serverconf', servercode=self.server.rpartition('/')[2])
        client = lambda name: insert('client', clientstatus='registered', isauthentication='NOSSL', conf_id=conf, identifier=identifier(name))
        owner = client(self.owner)
        rows.append('update serverconf set owner = %d;' % owner)
        clients = [client(c) for c in self.clients]
        insert('tsp', name='Stamps', url='http://%s:8899/' % TRUST, conf_id=conf)
        for code, url, allowed, *openapi in services:
            description = insert('servicedescription', url=openapi[0] if openapi else url, disabled=code == 'off', disablednotice='closed until noon',
                                 type='OPENAPI3' if openapi else 'REST', client_id=clients[0])
            insert('service', servicecode=code, url=url, sslauthentication=False, timeout=60, servicedescription_id=description)
            endpoints = [insert('endpoint', servicecode=code, method=method, path=path, generated=False, client_id=clients[0])
                         for method, path in [('*', '**')] + (openapi[1] if openapi else [])]
            for who in allowed:
                insert('accessright', rightsgiven='2026-01-01 00:00:00', subjectid=identifier(who), endpoint_id=endpoints[1 if openapi else 0],
                       client_id=clients[0])
        with open(self.dir + '/serverconf.sql', 'w') as f:
            f.write('\n'.join(rows) + '\n')
        with open(self.dir + '/messagelog.sql', 'w') as f:
            f.write('create sequence logrecord_sequence;\n')
        with open(self.dir + '/db.properties', 'w') as f:
            for name in 'serverconf', 'messagelog':
                for key, value in (('connection.driver_class', 'org.hsqldb.jdbcDriver'), ('connection.username', 'sa'), ('connection.password', ''),
                                   ('connection.url', 'jdbc:hsqldb:mem:%s;sql.syntax_pgs=true;hsqldb.tx=mvcc' % name), ('connection.pool_size', '60'),
                                   ('hbm2ddl.auto', 'create'), ('hbm2ddl.import_files', 'file:%s/%s.sql' % (self.dir, name)),
                                   ('connection.provider_class', 'org.hibernate.engine.jdbc.connections.internal.DriverManagerConnectionProviderImpl')):
                    f.write('%s.hibernate.%s = %s\n' % (name, key, value))


def join(services, auth, sign, **properties):
    """Such a server, member of the country that runs: XSERVER at XHOST with the client XSRV and its services, as for
    database(). auth, sign: RSA or EC."""
    server = XRoadServer(XSERVER, XHOST, [XSRV.removeprefix('TEST/')])
    server.properties.update({k.replace('__', '.').replace('_', '-'): v for k, v in properties.items()})
    at_end.append(server.stop)
    server.fetch()
    server.start('signer', 'Signer has been initialized')
    server.console('init-software-token', answers=[PIN, PIN])
    server.console('login-token', '0', answers=[PIN])
    certs = server.key('auth', auth, 'auth'), server.key('sign', sign, 'sign')
    register(XSERVER, XHOST, certs[0], [XSRV.removeprefix('TEST/')])
    server.fetch()
    server.import_certificates(*certs)
    # Its signer reads the configuration anew each minute; only then it knows that the certificate is registered.
    until(lambda: 'Alias:' in server.console('get-authentication-key', '"TEST %s"' % server.owner.replace('/', ' '), XSERVER.rpartition('/')[2]), PEER_S, 2)
    text = server.console('list-certs')
    result(len(re.findall('Cert: .*registered', text)) == 2 and 'AUTHENTICATION, ' + auth in text and 'SIGNING, ' + sign in text,
           "X-Road's signer holds keys certified by our CA: %s to authenticate, %s to sign" % (auth, sign), text)
    server.database(services)
    server.start('proxy', 'Proxy started in')
    for g in country.near, country.far:
        g.control('agent refresh')
    result(True, "X-Road's proxy runs, by a configuration that its client got from our authority")
    return server
