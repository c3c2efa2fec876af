"""The demonstration country in tests: it comes up in a folder of its own, is asked, examined by sild doctor, and mended by what doctor
prints."""
import datetime, json, os, re, shutil, subprocess, time
import role, wait
from role import SILD, run, tmp

CALL = '/r1/SILD/GOV/70000001/population/persons/48707290020'
PATIENCE = 180  # seconds for what comes by itself within a minute on an idle machine
os.environ['PATH'] = os.path.dirname(SILD) + ':' + os.environ['PATH']


def until(good, seconds=PATIENCE, pause=0.5):
    return wait.until(good, seconds, pause)


class Country:
    first = None  # a country that was founded and stopped: the others begin as copies of it

    def __init__(self, name):
        self.dir = os.path.join(tmp, name)
        if Country.first is None and name != 'first':
            c = Country('first')
            c.stop()
            Country.first = c.dir
        if Country.first is None:
            os.makedirs(self.dir)
        else:
            shutil.copytree(Country.first, self.dir)
        self.out = open(self.dir + '.out', 'w+')
        self.process = subprocess.Popen([SILD, 'up', '--dir', self.dir], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out)
        role.roles.append(self)  # stopped whatever happens
        if not until(lambda: 'Ctrl-C' in self.said() or self.process.poll() is not None) or self.process.poll() is not None:
            raise RuntimeError('no country: ' + self.said() + self.logs())

    def said(self):
        with open(self.out.name) as f:
            return f.read()

    def logs(self):
        text = ''
        for name in 'ledger', 'trust', 'authority', 'population', 'state', 'social':
            try:
                with open('%s/%s/log' % (self.dir, name), errors='replace') as f:
                    text += '%s:\n%s\n' % (name, f.read()[-1500:])
            except OSError:
                pass
        return text

    def call(self):
        """'' when the exchange works, else its fault code."""
        code, out, err = run(SILD, 'call', 'GET', CALL)
        m = re.search(r'^X-Road-Error: (\S+)', out, re.M | re.I)
        return '' if code == 0 else m.group(1) if m else out + err

    def doctor(self, *more):
        code, out, err = run(SILD, 'doctor', '--json', *more, *([] if '--config' in more else ['--dir', self.dir]))
        try:
            return code, json.loads(out)
        except ValueError:
            return code, {'culprit': None, 'links': [], 'error': out + err}

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None

    def kill(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def iso(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() if text else None


def short(seen):
    return '\n'.join('%(state)s %(link)s %(subject)s: %(text)s since %(since)s follows from %(follows_from)s next %(next)s' % f
                     for f in seen['links'] if f['state'] != 'ok') + seen.get('error', '')


def paste(country, culprit):
    """Runs the commands as they are printed for people; whether all went well, and what they said."""
    code, text, _ = run(SILD, 'doctor', '--dir', country.dir)
    lines, said = text.splitlines(), ''
    at = next((i for i, l in enumerate(lines) if l.split()[:3] == ['FAIL', culprit['link'], culprit['subject']]), None)
    good = True
    if at is None:
        return code == 0, 'not printed: ' + text  # it passed meanwhile, or it is not there for people
    while at + 1 < len(lines) and lines[at + 1].startswith('      '):
        at += 1
        if not lines[at].startswith('      $ '):
            continue
        p = subprocess.run(['bash', '-c', lines[at][8:]], cwd=tmp, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120)
        said += '$ %s\n%s(%d)\n' % (lines[at][8:], p.stdout, p.returncode)
        good = good and p.returncode == 0
    return good, said


def named_beside(named):
    """Culprits after the first one. What a gateway says of itself may be older by one of its rounds than what was mended."""
    return {n for n in named[1:] if not (n.startswith('ready ') and '/' in n)}


def mend(country):
    """Does what doctor says until nothing fails: whether its commands went well, the culprits that it named, and what was said."""
    good, named, said = True, [], ''
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        code, seen = country.doctor()
        if code == 0 or seen['culprit'] is None:
            break
        c = seen['culprit']
        who = c['link'] + ' ' + c['subject']
        if who in named:  # mended, and on its way: a configuration is fetched, an answer comes
            time.sleep(1)
            continue
        named.append(who)
        well, text = paste(country, c)
        good, said = good and well, said + text
    return good, named, said
