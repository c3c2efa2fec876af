"""What fuzz/run and fuzz/plant share: the table of targets, builds, one run of a target."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORPUS = os.path.join(ROOT, 'fuzz', 'corpus')
FLAGS = {
    'build-fuzz': ['-Db_sanitize=address,undefined',
                   '-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all'],
    'build-cover': ['-Dc_args=-fprofile-instr-generate -fcoverage-mapping',
                    '-Dc_link_args=-fprofile-instr-generate'],
}


def targets():
    """Name to (sources under src/, functions taken out)."""
    out = {}
    with open(os.path.join(ROOT, 'fuzz', 'targets'), encoding='utf-8') as f:
        for line in f:
            words = line.split('#')[0].split()
            if words:
                out[words[0]] = ([w for w in words[1:] if w[0] != '-'],
                                 {w[1:] for w in words[1:] if w[0] == '-'})
    return out


def chosen(names):
    known = targets()
    for n in names:
        if n not in known:
            sys.exit('there is no fuzz target "%s"; there are: %s' % (n, ' '.join(known)))
    return names or list(known)


def build(folder, names, source=ROOT, log=None):
    """Builds targets of the tree `source` with the flags of `folder`; returns the folder."""
    out = os.path.join(source, folder)
    if not os.path.exists(os.path.join(out, 'build.ninja')):
        subprocess.run(['meson', 'setup', out, source, '-Dfuzz=true', '-Db_lundef=false'] + FLAGS[folder],
                       env=dict(os.environ, CC='clang'), check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', out] + ['fuzz/fuzz-' + n for n in names], check=True, stdout=log)
    return out


def arguments(name):
    """Arguments of every run of a target."""
    words = ['-timeout=60', '-rss_limit_mb=2048', '-max_len=16384']
    words_of = os.path.join(ROOT, 'fuzz', name + '.dict')
    return words + (['-dict=' + words_of] if os.path.exists(words_of) else [])


def run(binary, name, more, env=None):
    """Exit code and output."""
    p = subprocess.run([binary] + arguments(name) + more, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, cwd=ROOT, env=env)
    return p.returncode, p.stdout.decode('utf-8', 'replace')


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
