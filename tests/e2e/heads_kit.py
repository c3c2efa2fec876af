"""What tests of heads share: journals and accepted heads read from their files, and answers of the ledger judged by code that is not
ours (judges/ledger_judge.py; only the answer's own form is read here)."""
import base64, glob, importlib.util, json, os, socket, struct
from role import SHARED, SILD, run

JUDGE = os.path.join(SHARED, 'judges', 'ledger_judge.py')


def load_judge():
    spec = importlib.util.spec_from_file_location('ledger_judge', JUDGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(folder):
    """Every whole record of a journal: type, sequence, raw bytes, payload."""
    for path in sorted(glob.glob(folder + '/*.seg')):
        with open(path, 'rb') as f:
            data = f.read()
        mark, at = data[16:20], 32
        while at + 32 <= len(data) and data[at:at + 4] in (b'SJR1', mark):
            n, kind, _, seq = struct.unpack_from('<IHHQ', data, at + 4)
            head = 32 + (8 if n >> 31 else 0)
            end = at + head + (n & 0x7fffffff)
            if end > len(data):
                break
            yield kind, seq, data[at:end], data[at + head:end]
            at = end


def answers(folder):
    """The ledger's answers that are kept beside a journal, oldest first."""
    return [payload.decode() for _, _, _, payload in records(folder + '/heads')]


def head(answer):
    """Origin, size and root of the head that an answer is about."""
    lines = answer.split('\n')
    return lines[2], int(lines[3]), base64.b64decode(lines[4])


def hashes(lines):
    return [base64.b64decode(line) for line in lines if line]


def verify(judge, answer, policy):
    """From the head to a checkpoint that the policy believes; names the first step that does not hold. '' when all do."""
    parts = answer.split('\n\n')
    first = parts[0].split('\n')
    if first[0] != 'sild/answer@v1' or len(parts) != 7:
        return 'form: %d parts' % len(parts)
    vkey = first[1]
    note = '\n'.join(first[2:]) + '\n\n' + parts[1] + '\n'
    key = judge.Key.parse(vkey)
    if key.name != first[2]:
        return 'the key has another name than the origin'
    judge.open_note(note.encode(), [key])
    entry = (vkey + '\n' + note).encode()
    where = parts[2].split('\n')
    index, entries = (int(n) for n in where[1][len('index '):].split(' of '))
    record = base64.b64decode(parts[3])
    magic, number, time_ms, count, heads, root = struct.unpack('>8sQQQQ32s', record[:72])
    if where[0] != 'round' or magic != b'SRR1\x01\0\0\0' or len(record) != 104 or count != entries:
        return 'the round record is not of this form'
    if not judge.included(judge.leaf_hash(entry), index, entries, hashes(where[2:]), root):
        return 'the head is not in the round'
    above = parts[4].split('\n')
    if above[0] != 'ledger' or above[1] != 'index %d' % number:
        return 'the round is not at its place'
    cp, _ = judge.open_checkpoint((parts[5] + '\n\n' + parts[6]).encode(), [], policy)
    if not judge.included(judge.leaf_hash(record), number, cp.size, hashes(above[2:]), cp.root):
        return 'the round is not in the ledger'
    return ''


def ask(folder, command):
    """What a role answers on its control socket: exit code and text."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(folder + '/control.sock')
        s.sendall(command.encode() + b'\n')
        data = b''
        while piece := s.recv(65536):
            data += piece
    code, _, text = data.partition(b'\n')
    return int(code.split()[0]), text.decode()


def health(folder, part):
    """Whether the role is ready, and what is wrong with one part of it (None: nothing)."""
    try:
        seen = json.loads(ask(folder, 'admin health')[1])
    except (OSError, ValueError):
        return False, {'state': 'down', 'text': '', 'since': None}
    return seen['ready'], next((r for r in seen['reasons'] if r['part'] == part), None)


def journal(folder):
    """Size and root of a journal, read again by sild journal verify."""
    code, out, err = run(SILD, 'journal', 'verify', folder, '--json')
    if code != 0:
        raise RuntimeError(out + err)
    seen = json.loads(out)
    return seen['records'], bytes.fromhex(seen['root'])
