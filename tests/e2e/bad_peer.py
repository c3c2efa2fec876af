"""A security server that this test plays itself: keys, certificates and OCSP responses of its own making (a second certification
authority, approved by the country), TLS by Python, signatures by the judge's signer. So it can be wrong in any way."""
import base64, datetime, hashlib, http.server, os, re, socket, ssl, sys, threading, urllib.parse, uuid
from exchange_kit import TMP, Keep, Reader, Relay

SHARED = os.environ.get('SILD_SHARED', os.path.abspath('../shared'))
sys.path.insert(0, os.path.join(SHARED, 'judges'))
try:
    import wire_peer as W
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import ocsp
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    MISSING = None
except ImportError as e:
    MISSING = str(e)

CLIENT, HOST = 'TEST/GOV/300/odd', '127.0.63.15'
OCSP_T, REQ_T, RESP_T, BODY_T = 'application/ocsp-response', 'application/x-road-rest-request', 'application/x-road-rest-response', 'application/x-road-rest-body'
DAY = datetime.timedelta(days=1)


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


def name(*pairs):
    return x509.Name([x509.NameAttribute(o, v, _validate=False) for o, v in pairs])


class Ca:
    """A certification authority with its OCSP responder's certificate."""

    def __init__(self, cn):
        self.name, self.key = name((NameOID.ORGANIZATION_NAME, 'Odd world'), (NameOID.COMMON_NAME, cn)), ec.generate_private_key(ec.SECP256R1())
        self.cert = self.make(self.name, self.key, [x509.BasicConstraints(True, None), usage(ca=True)])
        self.ocsp_key = ec.generate_private_key(ec.SECP256R1())
        self.ocsp_cert = self.make(name((NameOID.COMMON_NAME, cn + ' OCSP')), self.ocsp_key, [usage(sig=True), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])])

    def make(self, subject, key, extensions, begin=-DAY, end=365 * DAY):
        b = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        b = b.not_valid_before(now() + begin).not_valid_after(now() + end)
        for e in extensions:
            b = b.add_extension(e, not isinstance(e, x509.ExtendedKeyUsage))
        return b.sign(self.key, hashes.SHA256())

    def write(self, path):
        with open(path + '.der', 'wb') as f:
            f.write(self.cert.public_bytes(serialization.Encoding.DER))
        with open(path + '.ocsp.der', 'wb') as f:
            f.write(self.ocsp_cert.public_bytes(serialization.Encoding.DER))


def usage(sig=False, non=False, enc=False, ca=False):
    return x509.KeyUsage(sig, non, enc, False, False, ca, ca, False, False)


class Id:
    """A key with its certificate and an OCSP response: `use` auth or sign, the rest says how it is wrong."""

    def __init__(self, ca, label, use, begin=-DAY, end=365 * DAY, code='300', subject=None, status='good', age=datetime.timedelta(minutes=1), next_update=DAY,
                 response_of=None, forged=False, by=None):
        self.label, self.key = label, ec.generate_private_key(ec.SECP256R1())
        if use == 'sign':
            subject, ext = subject or name((NameOID.COUNTRY_NAME, 'TEST'), (NameOID.ORGANIZATION_NAME, 'GOV'), (NameOID.COMMON_NAME, code)), [usage(non=True)]
        else:
            subject, ext = name((NameOID.COUNTRY_NAME, 'TEST'), (NameOID.COMMON_NAME, label)), [usage(sig=True, enc=True), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])]
        self.cert = ca.make(subject, self.key, ext, begin, end)
        self.der = self.cert.public_bytes(serialization.Encoding.DER)
        about, by = response_of or self.cert, by or ca
        state = {'good': ocsp.OCSPCertStatus.GOOD, 'revoked': ocsp.OCSPCertStatus.REVOKED, 'unknown': ocsp.OCSPCertStatus.UNKNOWN}[status]
        at = now() - age
        builder = ocsp.OCSPResponseBuilder()
        if by is not ca:  # it brings its certificate: nobody lists it
            builder = builder.certificates([by.ocsp_cert])
        self.ocsp = builder.add_response(about, ca.cert, hashes.SHA1(), state, at, at + next_update if next_update else None,
                                                            at - DAY if status == 'revoked' else None, None) \
            .responder_id(ocsp.OCSPResponderEncoding.HASH, by.ocsp_cert).sign(by.ocsp_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        if forged:  # the signature stands at the end
            self.ocsp = self.ocsp[:-1] + bytes([self.ocsp[-1] ^ 1])
        self.path = '%s/odd-%s-%s' % (TMP, use, label)
        with open(self.path + '.pem', 'wb') as f:
            f.write(self.cert.public_bytes(serialization.Encoding.PEM))
        with open(self.path + '.key', 'wb') as f:
            f.write(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        with open(self.path + '.der', 'wb') as f:
            f.write(self.der)

    def signer(self):
        s = W.Signer.__new__(W.Signer)
        s.cert, s.key, s.ocsp, s.rsa, s.pss, s.method = self.cert, self.key, self.ocsp, False, False, 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512'
        return s


def context(server, ident):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if ident is not None:
        c.load_cert_chain(ident.path + '.pem', ident.path + '.key')
    return c


def multipart(boundary, parts):
    return W.pack(boundary, parts)


def fault_of(answer):
    """(code, text) of a SOAP fault somewhere in an answer; ('', '') when there is none."""
    code, text = re.search(rb'<faultcode>(.*?)</faultcode>', answer, re.S), re.search(rb'<faultstring>(.*?)</faultstring>', answer, re.S)
    plain = lambda m: re.sub('&(lt|gt|amp|quot|apos);', lambda e: {'lt': '<', 'gt': '>', 'amp': '&', 'quot': '"', 'apos': "'"}[e.group(1)], m.group(1).decode())
    return (plain(code), plain(text)) if code and text else ('', '')


class Request:
    """A message of a consumer's server: what goes to another server's peer port, in pieces that a test may change."""

    def __init__(self, path, auth, sign, body=None, client=CLIENT, method=None):
        self.auth, self.request_id, self.boundary = auth, str(uuid.uuid4()), W.boundary()
        self.ocsp = [] if auth is None else [auth.ocsp]
        text = '%s\r\n%s\r\nX-Road-Client:%s\r\nx-road-request-id:%s\r\nx-road-id:odd-%s\r\n' % (method or ('GET' if body is None else 'POST'), path, client, self.request_id, uuid.uuid4())
        self.message, self.body = text.encode(), body
        parts = [('/message.xml', self.message)] + ([] if body is None else [('/attachment1', body)])
        self.signature = W.signature_parts(sign.signer().sign([parts])[0])
        self.headers = [('x-road-request-id', self.request_id), ('x-hash-algorithm', 'SHA-512'), ('x-proxy-version', '7.8.0'), ('x-road-message-type', 'REST'), ('x-original-content-type', ''),
                        ('Host', 'far:5500'), ('Connection', 'close'), ('Content-Type', 'multipart/mixed; charset=UTF-8; boundary=' + self.boundary)]

    def parts(self):
        return [(OCSP_T, o) for o in self.ocsp] + [(REQ_T, self.message)] + ([] if self.body is None else [(BODY_T, self.body)]) + self.signature

    def data(self):
        return multipart(self.boundary, self.parts())

    def bytes(self):
        data = self.data()
        return W.head('POST / HTTP/1.1', self.headers + [('Content-Length', str(len(data)))]) + data


def send(data, auth, at, timeout=30):
    """Bytes to a peer port under a certificate; everything that comes back, b'' when the connection just ends."""
    got = b''
    with socket.create_connection(at, timeout) as plain:
        try:
            with context(False, auth).wrap_socket(plain) as s:
                s.settimeout(timeout)
                s.sendall(data)
                while piece := s.recv(65536):
                    got += piece
        except OSError:
            pass
    return got


class Server:
    """The provider's server: 5500 and 5577 of HOST. auth and sign are what it shows; `act` may take the connection over: it gets the socket and the
    request's (head, body) and returns the bytes to send, or None to cut it."""

    def __init__(self):
        self.auth = self.sign = self.act = self.raw = None
        self.ocsp, self.answer, self.change, self.requests, self.ocsp_requests = None, b'odd', None, 0, 0

    def listen(self):
        for port, serve in (5500, self.serve), (5577, self.serve_ocsp):
            sock = socket.create_server((HOST, port), backlog=64)
            threading.Thread(target=self.accept, args=(sock, serve), daemon=True).start()

    def accept(self, sock, serve):
        while True:
            s, _ = sock.accept()
            threading.Thread(target=self.guard, args=(serve, s), daemon=True).start()

    @staticmethod
    def guard(serve, s):
        try:
            with s:
                s.settimeout(60)
                serve(s)
        except (OSError, EOFError, ValueError, IndexError):
            pass

    def serve(self, plain):
        if self.raw:
            self.raw(plain)
            return
        with context(True, self.auth).wrap_socket(plain, server_side=True) as s:
            head, body = Relay.message(Reader(s))
            self.requests += 1
            out = self.act(s, head, body) if self.act else self.respond(head, body)
            if out:
                s.sendall(out)

    def serve_ocsp(self, s):
        r = Reader(s)
        line, headers = r.line(), r.headers()
        self.ocsp_requests += 1
        if callable(self.ocsp):
            self.ocsp(s)
            return
        want = urllib.parse.parse_qs(urllib.parse.urlsplit(line.split(b' ')[1].decode()).query).get('cert', [])
        der = self.auth.ocsp if self.ocsp is None else self.ocsp
        data = b''.join(b'--b\r\nContent-Type: application/ocsp-response\r\n\r\n' + der + b'\r\n' for _ in want) + b'--b--\r\n'
        s.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type="application/ocsp-response"; charset=UTF-8; boundary=b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(data) + data)

    def respond(self, head, body):
        """A signed answer; `change` gets its parts and its body's type, and may return others."""
        b = re.search(rb'boundary="?([^\s";]+)', head).group(1)
        parts = [p.split(b'\r\n\r\n', 1) for p in (b'\r\n' + body).split(b'\r\n--' + b)[1:-1]]
        message = next(p[1] for p in parts if b'rest-request' in p[0])
        body = next((p[1] for p in parts if b'rest-body' in p[0]), None)
        get = lambda n: re.search(rb'(?im)^' + n + rb':\s*(.*?)\r?$', message).group(1).decode()
        digest = hashlib.sha512(message).digest()
        if body is not None:
            digest = hashlib.sha512(digest + hashlib.sha512(body).digest()).digest()
        target = message.split(b'\r\n')[1].decode().split('/')
        text = '200\r\nOK\r\nx-road-id:%s\r\nx-road-client:%s\r\nx-road-service:%s\r\nx-road-request-id:%s\r\nx-road-request-hash:%s\r\n' % (
            get(b'x-road-id'), get(b'x-road-client'), '/'.join(target[2:7]), get(b'x-road-request-id'), base64.b64encode(digest).decode())
        signed = [('/message.xml', text.encode()), ('/attachment1', self.answer)]
        out = [(RESP_T, text.encode()), (BODY_T, self.answer)] + W.signature_parts(self.sign.signer().sign([signed])[0])
        if self.change:
            out = self.change(out)
        boundary = W.boundary()
        data = multipart(boundary, out)
        return W.head('HTTP/1.1 200 OK', [('Content-Type', 'multipart/mixed; charset=UTF-8; boundary=' + boundary), ('x-hash-algorithm', 'SHA-512'), ('Connection', 'close'), ('Content-Length', str(len(data)))]) + data
