// What llhttp, the parser in Node, makes of the request in each file named: lines as http_verdict.c
// prints them, and {"unknown": true} for a method that llhttp does not know. Strict: no leniency.
'use strict';
const fs = require('fs');
const { HTTPParser } = require('_http_common');
const { methods, allMethods } = process.binding('http_parser');
const names = allMethods || methods;

function octets(text) {
  return [...Buffer.from(text, 'latin1')];
}

function verdict(bytes) {
  const parser = new HTTPParser();
  const out = { headers: 0, body: 0, whole: false };
  let head = null;
  let url = '';
  const close = parser.close;
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnHeaders] = (headers, rest) => {
    if (head === null) out.headers += headers.length / 2; // else trailers
    url += rest;
  };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, headers, method, target) => {
    if (head !== null) return 2; // the next request of the connection is not looked at
    head = { method: octets(names[method]), target: octets(url || target || '') };
    out.headers += (headers || []).length / 2;
    return 0;
  };
  parser[HTTPParser.kOnBody] = (piece, from, n) => {
    if (!out.whole) out.body += n === undefined ? piece.length : n;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (head !== null) out.whole = true;
  };
  const result = parser.execute(bytes);
  const failed = result instanceof Error;
  close.call(parser);
  if (failed && !out.whole) {
    return result.code === 'HPE_INVALID_METHOD' ? { unknown: true, refused: result.reason }
      : { refused: result.code + ': ' + result.reason };
  }
  return head === null ? { more: true } : { ...head, ...out };
}

for (const file of process.argv.slice(2)) {
  console.log(JSON.stringify(verdict(fs.readFileSync(file))));
}
