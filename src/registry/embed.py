"""Writes country.c: the files given, as byte arrays behind country_text().

usage: embed.py OUT FILE...
"""
import os
import sys

out, files = sys.argv[1], sys.argv[2:]
lines = ['#include "registry/country.h"', '']
for i, path in enumerate(files):
    with open(path, 'rb') as f:
        data = f.read()
    lines.append('static const uint8_t file_%d[] = {' % i)
    for at in range(0, len(data), 24):
        lines.append(','.join(str(b) for b in data[at:at + 24]) + ',')
    lines += ['};', '']
lines += ['struct slice country_text(const char *name)', '{']
for i, path in enumerate(files):
    lines.append('    if (slice_eq_str(slice_str(name), "%s"))' % os.path.basename(path))
    lines.append('        return slice_of(file_%d, sizeof file_%d);' % (i, i))
lines += ['    return SLICE_NONE;', '}', '']
with open(out, 'w') as f:
    f.write('\n'.join(lines))
