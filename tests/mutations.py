"""The table of tests/mutate: for each bad_… test a small change of the source that switches off just the check that it is about; and
changes that break what a log or journal promises for a power cut or a failing disk.

A row: the test's file in tests/e2e (or the program of tests/fault), the tests that must fail, and the edits as (file, exact text, its replacement). Where two layers
refuse the same, both are switched off.
"""

SIDES = 'bad_consumer_auth_%s bad_provider_auth_%s bad_consumer_sign_%s bad_provider_sign_%s'


def four(how):
    return SIDES.replace('%s', how)


HTTP, CHUNKED, URI, REST = 'src/wire/http.c', 'src/wire/http_chunked.c', 'src/wire/uri.c', 'src/xroad/rest.c'
CONSUMER, REPLY, PROVIDER, CALL = 'src/gateway/consumer.c', 'src/gateway/consumer_reply.c', 'src/gateway/provider.c', 'src/gateway/provider_call.c'
PEER, TRUST, OCSP, MESSAGE, CHAIN = 'src/gateway/peer.c', 'src/xroad/trust.c', 'src/crypto/ocsp.c', 'src/xroad/message.c', 'src/evidence/hashchain.c'
SNAPSHOT, CONF, DIRECTORY = 'src/gateway/snapshot.c', 'src/gateway/confclient.c', 'src/xroad/directory.c'

# Edits that several rows share.
LENGTHS = (HTTP, '    if (s->has_length)\n        return refuse(s, "RFC 9112 6.3", "two', '    if (false)\n        return refuse(s, "RFC 9112 6.3", "two')
BOTH = (HTTP, 'if (s->has_length && s->has_coding)', 'if (false)')
CODING = (HTTP, 'if (!slice_ieq_str(v, "chunked"))', 'if (false)')
CHUNKS = (CHUNKED, 'else if (!is_text(b))\n            return refuse(d, "a chunk\'s extensions have', 'else if (false)\n            return refuse(d, "a chunk\'s extensions have')
BARE_LF = (HTTP, "    if (*s->p == '\\n')\n        return refuse(s, \"RFC 9112 2.2\", \"a line ends", "    if (*s->p == '\\n') {\n        s->p++;\n        return 0;\n    }\n    if (false)\n        return refuse(s, \"RFC 9112 2.2\", \"a line ends")
FOLDED = (HTTP, '        return refuse(s, "RFC 9112 5.2", "a folded header line, or a blank before the first one");', '    {\n        run_of(s, VALUE);\n        return line_end(s);\n    }')
COLON = (HTTP, "    if (*s->p == ' ' || *s->p == '\\t')\n        return refuse(s, \"RFC 9112 5.1\", \"a blank", "    while (s->p < s->end && (*s->p == ' ' || *s->p == '\\t'))\n        s->p++;\n    if (s->p == s->end)\n        return MORE;\n    if (false)\n        return refuse(s, \"RFC 9112 5.1\", \"a blank")
HOSTS = (HTTP, 'if (s->hosts > 1)', 'if (false)')
VERSION = (HTTP, 'if (memcmp(s->p, prefix, have < n ? have : n) != 0)', 'if (false)')
FLOOD = ('src/net/conn_io.c', 'if (c->state >= CONN_CLOSING && (c->dropped += (uint64_t)n) > DROPPED_MAX) {', 'if (false) {')
REPLY_HEAD = [('src/wire/http_reply.c', '    if (r->raw.failed)\n        return diag_set(d, ERR_NOMEM, "no memory for a response");', '    r->raw.failed = false;'),
              (HTTP, 'if (err == MORE && in.n >= max)', 'if (false)'), ('src/wire/http_reply.c', 'if (whole == 0 && r->raw.n == r->head_max)', 'if (false)')]
REGISTERED = (TRUST, '    if (globalconf_auth_cert_serves(g, leaf, member))\n        return 0;', '    if (true)\n        return 0;')
KNOWN = (PROVIDER, 'bool known = globalconf_auth_cert_known(p->snap->gc, c);', 'bool known = true;')
REVOKED = (OCSP, '    case OCSP_REVOKED:\n        timeval_print_iso', '    case OCSP_REVOKED:\n        if (true)\n            return 0;\n        timeval_print_iso')
NO_OCSP = (TRUST, '    name_of(c, name);\n    return diag_set(d, ERR_CERT_VALIDATION, "Unable to find', '    if (true)\n        return 0;\n    name_of(c, name);\n    return diag_set(d, ERR_CERT_VALIDATION, "Unable to find')
EXPIRED_CONF = ('src/xroad/globalconf_view.c', '    if (now_ms <= globalconf_expires(g))\n', '    if (true)\n')
OWN_FRESH = [(SNAPSHOT, 'if (info->this_update_ms + globalconf_ocsp_freshness_ms(s->gc) < now_ms)', 'if (false)'),
             ('src/gateway/ocspclient.c', 'return age(k, now_ms) <= fresh ? buf_view(&k->der) : SLICE_NONE;', 'return buf_view(&k->der);')]
OWN_VALID = (SNAPSHOT, 'if (c->not_before_ms > now_ms || c->not_after_ms < now_ms)', 'if (false)')
CHAIN_ENDS = (CHAIN, '    if (!digest_eq(&got, &want))\n        return diag_set(v->d, ERR_INVALID_HASH_CHAIN,', '    if (false)\n        return diag_set(v->d, ERR_INVALID_HASH_CHAIN,')
VALUE = ('src/evidence/xades_core.c', '    rc = check_value(cert->key, x->alg, &dg, x->value);', '    rc = 0;')
DIGESTS = ('src/evidence/xades_core.c', '    if (!digest_eq(&got, &r->digest))', '    if (false)')
ALGORITHM_P = (PROVIDER, 'if (digest_from_name(http_get(h, "x-hash-algorithm")) != DIGEST_SHA512)', 'if (false)')
ALGORITHM_C = (REPLY, 'if (digest_from_name(http_get(h, "x-hash-algorithm")) != DIGEST_SHA512) {', 'if (false) {')
MIXED = (MESSAGE, '|| !slice_ieq_str(type.base, "multipart/mixed"))', ')')
TRUNCATED = ('src/net/http_call.c', 'if (c->state == SENT && c->reply.in_body && c->reply.head.body == HTTP_BODY_CLOSE) {', 'if (c->state == SENT && c->reply.in_body) {')
UNWRITTEN = ('src/journal/journal.c', 'rc = segment_append(&j->open, buf_view(&j->pending), j->segment_bytes, d);', 'rc = segment_append(&j->open, buf_view(&j->pending), j->segment_bytes, d) == 0 ? 0 : 0;')
CHECKSUM = ('src/journal/journal_record.c', 'if (get_u32(p + CRC_AT) != checksum(p, raw.n))', 'if (false)')
MLOG, STAMPING = 'src/gateway/mlog.c', 'src/gateway/stamping.c'
CLOSING = ('src/journal/journal.c', 'if (j->closing || (j->index.count', 'if ((j->index.count')
CUTS = 'power_cut_at_each_step_that_drops_all_unsynced'
FAILURES = 'input_output_error_then_power_cut disk_full_then_power_cut'

ROWS = [
    # ---- requests
    ('bad_requests', 'bad_unknown_member', (PEER, '    if (*n == 0)\n        return no_address(provider, d);\n', '')),
    ('bad_requests', 'bad_unknown_instance', (PEER, 'if (!globalconf_has_instance(s->gc, provider->instance, loop_wall_ms(w->loop)))', 'if (false)')),
    ('bad_requests', 'bad_unknown_client', (CONSUMER, '    if (cl == NULL || !cl->registered)\n        rc = ', '    if (cl == NULL)\n        rc = 0;\n    else if (false)\n        rc = ')),
    ('bad_requests', 'bad_client_not_registered', REGISTERED),
    ('bad_requests', 'bad_provider_not_at_its_server', (PROVIDER, 'if (cl == NULL || !cl->registered) {', 'if (false) {')),
    ('bad_requests', 'bad_unknown_service', (PROVIDER, '    if (p->service == NULL)\n        rc = diag_set(d, ERR_UNKNOWN_SERVICE', '    if (p->service == NULL)\n        p->service = &p->snap->conf.services[0];\n    if (false)\n        rc = diag_set(d, ERR_UNKNOWN_SERVICE')),
    ('bad_requests', 'bad_service_disabled', (PROVIDER, 'if (rc == 0 && p->service->disabled)', 'if (false)')),
    ('bad_requests', 'bad_service_without_address', (CALL, '        diag_set(&d, ERR_SERVICE_MISSING_URL,', '        diag_set(&d, ERR_INTERNAL,')),
    ('bad_requests', 'bad_security_server', (PEER, '    return diag_set(d, ERR_INVALID_SECURITY_SERVER,', '    if (true)\n        return 0;\n    return diag_set(d, ERR_INVALID_SECURITY_SERVER,')),
    ('bad_requests', 'bad_no_access_right', (PROVIDER, 'metadata_service_subject(p->snap->gc, v, r, &p->req.client))', 'true)')),
    ('bad_requests', 'bad_no_access_right_to_method', (PROVIDER, 'acl_method_matches(r->method, p->req.verb) && ', '')),
    ('bad_requests', 'bad_no_access_right_to_path', (PROVIDER, 'acl_path_matches(r->path, path) &&', '')),
    ('bad_requests', 'bad_client_identifier_missing', (REST, '    if (client.p == NULL)\n        return', '    if (false)\n        return')),
    ('bad_requests', 'bad_client_identifier', ('src/xroad/id.c', 'if (n < min || n > max) {', 'if (n > PARTS_MAX) {')),
    ('bad_requests', 'bad_service_url', (REST, 'if (id_part_is_blank(*to[i]))', 'if (false)')),
    ('bad_requests', 'bad_x_road_headers', (REST, 'if (r->id.p != NULL && r->id.n == 0)', 'if (false)')),
    ('bad_requests', 'bad_message_id_too_long', ('src/gateway/mlog.c', 'if (rc == 0 && r.id.n > 255)', 'if (false)')),
    ('bad_requests', 'bad_method', (REST, 'if (!is_verb(head->method))', 'if (false)')),
    ('bad_requests', 'bad_client_connection', (CONSUMER, '    if (cl->connection == SERVERCONF_HTTP)\n        return 0;', '    if (true)\n        return 0;')),
    ('bad_requests', 'bad_path_encoded_dots', (URI, 'if (is_dots(name) && !is_plain_dots(s))', 'if (false)')),
    ('bad_requests', 'bad_path_empty_segment', (URI, 'if (name.n == 0 && !(last && s.n == 0))', 'if (false)')),
    ('bad_requests', 'bad_path_control_octet', (URI, '        if (is_control(c))\n            return "an escaped control', '        if (false)\n            return "an escaped control')),
    ('bad_requests', 'bad_path_backslash_or_percent', (URI, "        if (c == '\\\\')\n", '        if (false)\n')),
    ('bad_requests', 'bad_path_dots', (URI, '    if (is_plain_dots(segment)) {', '    if (false) {'), (URI, 'return slice_find_slice(path, SLICE_LIT("..")) != SIZE_MAX ?', 'return false ?')),
    ('bad_requests', 'bad_path_encoded_slash', (URI, 'if (in_set(c, "/?#"))', 'if (false)')),
    ('bad_requests', 'bad_query', (URI, 'if (is_control(c) || in_set(c, " {}|\\\\^<>\\"`#"))', 'if (false)')),
    ('bad_requests', 'bad_smuggling_lengths', LENGTHS),
    ('bad_requests', 'bad_smuggling_length_and_coding', BOTH),
    ('bad_requests', 'bad_smuggling_coding', CODING),
    ('bad_requests', 'bad_smuggling_chunks', CHUNKS),
    ('bad_requests', 'bad_smuggling_bare_lf', BARE_LF),
    ('bad_requests', 'bad_smuggling_bare_cr', (HTTP, "if (s->p[1] != '\\n')", 'if (false)')),
    ('bad_requests', 'bad_smuggling_folded_header', FOLDED),
    ('bad_requests', 'bad_smuggling_blank_before_colon', COLON),
    ('bad_requests', 'bad_smuggling_host', HOSTS),
    ('bad_requests', 'bad_smuggling_octets', VERSION),
    ('bad_requests', 'bad_head_too_large', ('src/net/http_server.c', 'l.head_max = HTTP_HEAD_MAX;', 'l.head_max = 16 * HTTP_HEAD_MAX;')),
    ('bad_requests', 'bad_head_without_end', FLOOD),
    # ---- peers
    ('bad_peers', four('revoked'), REVOKED),
    ('bad_peers', four('expired') + ' ' + four('not_yet_valid'), ('src/crypto/cert.c', 'if (!valid_at(c, at_ms)) {', 'if (false) {')),
    ('bad_peers', four('ocsp_stale'), (OCSP, 'if (at_ms > until) {', 'if (false) {')),
    ('bad_peers', four('ocsp_overdue'), (OCSP, 'if (at_ms > p->next_update_ms) {', 'if (false) {')),
    ('bad_peers', four('ocsp_unknown'), (OCSP, '    case OCSP_UNKNOWN:\n        break;', '    case OCSP_UNKNOWN:\n        return 0;')),
    ('bad_peers', four('ocsp_forged'), (OCSP, 'if (s->alg == NULL || verify_data(candidate->key, s->alg, s->p->tbs, s->p->value) != 0)', 'if (false)')),
    ('bad_peers', four('ocsp_of_stranger'), (OCSP, 'return is_allowed(candidate, s->issuer, s->trust) ? FOUND_ALLOWED : FOUND_SIGNATURE;', 'return FOUND_ALLOWED;')),
    ('bad_peers', four('ocsp_of_other'), (TRUST, 'if (!ocsp_is_for(j->ocsp[i], c, issuer))', 'if (false)'), (OCSP, 'if (!id_fits(&p, c, issuer))', 'if (false)')),
    ('bad_peers', 'bad_consumer_auth_of_unknown_ca bad_provider_auth_of_unknown_ca', (TRUST, '        return not_approved(chain[0], d);', '        return 0;')),
    ('bad_peers', 'bad_consumer_auth_unregistered', KNOWN),
    ('bad_peers', 'bad_provider_auth_unregistered bad_consumer_auth_of_another_server bad_provider_auth_of_another_server bad_consumer_for_another_client', REGISTERED),
    ('bad_peers', 'bad_consumer_without_certificate', ('src/net/tls.c', 'SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT', 'SSL_VERIFY_PEER')),
    ('bad_peers', 'bad_consumer_ocsp_missing bad_consumer_ocsp_garbage', (PROVIDER, 'if (p->n_ocsp == 0)', 'if (false)'), NO_OCSP),
    ('bad_peers', 'bad_provider_ocsp_missing', (PEER, 'else if (j->got != j->n_missing)', 'else if (false)')),
    ('bad_peers', 'bad_consumer_sign_of_unknown_ca bad_provider_sign_of_unknown_ca', (TRUST, '        return not_approved(cert, d);', '        return 0;')),
    ('bad_peers', 'bad_consumer_sign_of_another_member bad_provider_sign_of_another_member', (TRUST, 'if (err == 0 && !id_member_eq(&named, sender)) {', 'if (false) {')),
    ('bad_peers', 'bad_consumer_sign_by_auth_key bad_provider_sign_by_auth_key', (TRUST, '    if (!is_signing)\n', '    if (false)\n')),
    # ---- messages changed on their way
    ('bad_messages', 'bad_request_body bad_request_header bad_request_method bad_request_path bad_response_body bad_response_status bad_response_header', CHAIN_ENDS),
    ('bad_messages', 'bad_request_hash_chain_result bad_response_hash_chain_result', CHAIN_ENDS, DIGESTS),
    ('bad_messages', 'bad_request_signature_value bad_response_signature_value', VALUE),
    ('bad_messages', 'bad_request_signed_digest bad_response_signed_digest bad_request_signed_properties', DIGESTS, VALUE),
    ('bad_messages', 'bad_request_without_body_header bad_response_without_body_status', DIGESTS),
    ('bad_messages', 'bad_request_body_taken_out bad_response_body_taken_out', (CHAIN, '    if (v->file == NULL || v->file(v->ctx, uri, &text) != 0)\n        return diag_set(v->d, ERR_INVALID_REFERENCE,', '    if (v->file == NULL || v->file(v->ctx, uri, &text) != 0)\n        return diag_set(v->d, ERR_INTERNAL,'),
     (CHAIN, '    if (v->file == NULL)\n        return diag_set(v->d, ERR_INVALID_REFERENCE,', '    if (v->file == NULL)\n        return diag_set(v->d, ERR_INTERNAL,')),
    ('bad_messages', 'bad_request_chain_taken_out', (MESSAGE, 'if (kind == KIND_SIGNATURE && r->state != AT_CHAIN) {', 'if (kind == KIND_SIGNATURE) {')),
    ('bad_messages', 'bad_request_signature_taken_out bad_response_signature_taken_out', (MESSAGE, '    return diag_set(d, ERR_MISSING_SIGNATURE, "Signature is missing");', '    r->state = CLOSED;\n    return 0;'),
     (REPLY, 'if (c->resp_signature.n == 0) {', 'if (false) {')),
    ('bad_messages', 'bad_request_ocsp_taken_out', (PROVIDER, 'if (p->n_ocsp == 0)', 'if (false)'), NO_OCSP),
    ('bad_messages', 'bad_request_client_name', REGISTERED),
    ('bad_messages', 'bad_request_end_cut bad_response_end_cut', (MESSAGE, '    case AT_END:\n    case AFTER_FAULT:\n        return diag_set', '    case AT_END:\n        return 0;\n    case AFTER_FAULT:\n        return diag_set')),
    ('bad_messages', 'bad_request_part_added bad_response_part_added', (MESSAGE, '    if (r->state == AT_END)\n        return diag_set', '    if (false)\n        return diag_set')),
    ('bad_messages', 'bad_request_algorithm_missing', ALGORITHM_P),
    ('bad_messages', 'bad_response_algorithm_missing', ALGORITHM_C),
    ('bad_messages', 'bad_request_http_method', (PROVIDER, 'if (!slice_ieq_str(h->method, "POST"))', 'if (false)')),
    ('bad_messages', 'bad_response_content_type', MIXED),
    ('bad_messages', 'bad_response_http_status', (REPLY, 'if (h->status != 200 && h->status != 500) {', 'if (false) {')),
    ('bad_messages', 'bad_response_nothing bad_response_broken_off', TRUNCATED, ('src/net/conn_io.c', 'bool clean = c->state >= CONN_CLOSING || (c->state == CONN_OPEN && c->stream == NULL);', 'bool clean = true;')),
    ('bad_messages', 'bad_response_replayed', (REPLY, 'else if (check_answer(c, &d) != 0)', 'else if (false)')),
    ('bad_messages', 'bad_server_version', (PROVIDER, 'if (peer_version_cmp(&theirs, &oldest) < 0)', 'if (false)')),
    # ---- providers
    ('bad_providers', 'bad_provider_down', ('src/net/conn.c', ': ERR_NETWORK;', ': ERR_IO;')),
    ('bad_providers', 'bad_provider_unknown_host', (CALL, 'diag_set(&d, ERR_UNKNOWN_HOST,', 'diag_set(&d, ERR_INTERNAL,')),
    ('bad_providers', 'bad_provider_hangs bad_provider_falls_silent', (CALL, '.response_timeout_ms = v->timeout_ms,', '.response_timeout_ms = 0,')),
    ('bad_providers', 'bad_provider_closes_early', ('src/net/http_call.c', 'diag_set(&d, ERR_CLOSED, "the server closed the connection %s",', 'diag_set(&d, ERR_NETWORK, "the server closed the connection %s",')),
    ('bad_providers', 'bad_provider_cuts_body bad_provider_cuts_chunked_body', TRUNCATED),
    ('bad_providers', 'bad_provider_no_http', VERSION),
    ('bad_providers', 'bad_provider_lengths', LENGTHS),
    ('bad_providers', 'bad_provider_length_and_coding', BOTH),
    ('bad_providers', 'bad_provider_coding', CODING),
    ('bad_providers', 'bad_provider_chunks', CHUNKS),
    ('bad_providers', 'bad_provider_bare_lf', BARE_LF),
    ('bad_providers', 'bad_provider_folded_header', FOLDED),
    ('bad_providers', 'bad_provider_blank_before_colon', COLON),
    ('bad_providers', 'bad_provider_body_where_none_may_be', (HTTP, 'if (never && (s->has_coding || h->length > 0))', 'if (false)')),
    ('bad_providers', 'bad_provider_head_without_end', *REPLY_HEAD),
    ('bad_providers', 'bad_provider_tls_certificate', (CALL, 'bool good = !conn_is_tls(conn) || !v->verify_tls;', 'bool good = true;')),
    ('bad_providers', 'bad_body_too_large_to_keep', ('src/gateway/attest.c', 'if (keep && r->body->size > s->conf.body_max) {', 'if (false) {'), (CALL, 'p->resp_body.size > p->snap->conf.body_max) {', 'false) {'),
     ('src/gateway/mlog.c', 'if (m->snap == NULL || size > m->snap->conf.body_max)', 'if (m->snap == NULL)')),
    # ---- the wire between servers
    ('bad_wire', 'bad_wire_lengths', LENGTHS),
    ('bad_wire', 'bad_wire_length_and_coding', BOTH),
    ('bad_wire', 'bad_wire_coding', CODING),
    ('bad_wire', 'bad_wire_bare_lf', BARE_LF),
    ('bad_wire', 'bad_wire_folded_header', FOLDED),
    ('bad_wire', 'bad_wire_blank_before_colon', COLON),
    ('bad_wire', 'bad_wire_chunks', CHUNKS),
    ('bad_wire', 'bad_wire_host', HOSTS),
    ('bad_wire', 'bad_wire_head_without_end', FLOOD),
    ('bad_wire', 'bad_message_type', (PROVIDER, 'if (!slice_eq_str(http_get(h, "x-road-message-type"), "REST"))', 'if (false)')),
    ('bad_wire', 'bad_message_hash_algorithm', ALGORITHM_P),
    ('bad_wire', 'bad_message_request_id', (PROVIDER, 'if (p->http_request_id.n == 0)', 'if (false)')),
    ('bad_wire', 'bad_message_content_type', MIXED),
    ('bad_wire', 'bad_message_parts', (MESSAGE, 'if (++r->ocsp > MESSAGE_OCSP_MAX)', 'if (false)')),
    ('bad_wire', 'bad_message_part_too_large', (MESSAGE, 'if (data.n > max - r->part.n)', 'if (false)')),
    ('bad_wire', 'bad_message_head', (REST, '    if (client.p == NULL)\n        return', '    if (false)\n        return')),
    ('bad_wire', 'bad_peer_hangs', (CONSUMER, '.response_timeout_ms = c->snap->conf.peer_timeout_ms,', '.response_timeout_ms = 0,')),
    ('bad_wire', 'bad_peer_hangs_in_handshake', (CONSUMER, '.connect_timeout_ms = n > 1 ? HURRY_MS : peer_patience(c->snap),', '.connect_timeout_ms = 600000,')),
    ('bad_wire', 'bad_peer_ocsp_hangs', (PEER, '.response_timeout_ms = peer_patience(j->s)};', '.response_timeout_ms = 600000};')),
    ('bad_wire', 'bad_peer_closes_early', (CONSUMER, 'if (!c->connected)\n        diag_set', 'if (false)\n        diag_set')),
    ('bad_wire', 'bad_peer_no_http', (CONSUMER, 'if (d.code == ERR_SYNTAX || d.code == ERR_TOO_LARGE)', 'if (false)')),
    ('bad_wire', 'bad_peer_head_without_end', *REPLY_HEAD),
    ('bad_wire', 'bad_peer_part_without_end', (REPLY, 'if (!c->fault_xml.failed)', 'if (true)')),
    # ---- what a gateway depends on
    ('bad_services', 'bad_time_stamps_down', ('src/gateway/stamping.c', 'if (s->failing && s->failure_ms != 0 &&', 'if (false &&')),
    ('bad_services', 'bad_time_stamps_not_configured', ('src/gateway/stamping.c', 'if (!s->configured || !s->has_tsa)', 'if (false)')),
    ('bad_services', 'bad_time_stamps_forged', ('src/crypto/tsp.c', 'if (!digest_eq(&info.imprint, imprint))', 'if (false)')),
    ('bad_services', 'bad_own_ocsp_missing', (SNAPSHOT, '    if (s->ocsp[i].n == 0)\n', '    if (false)\n')),
    ('bad_services', 'bad_own_ocsp_stale bad_clock_skew', *OWN_FRESH),
    ('bad_services', 'bad_own_sign_expired bad_clock_behind', OWN_VALID),
    ('bad_services', 'bad_clock_ahead', EXPIRED_CONF),
    ('bad_services', 'bad_server_unregistered', KNOWN, REGISTERED),
    ('bad_services', 'bad_own_sign_revoked', (SNAPSHOT, 'if (info->status != OCSP_GOOD)', 'if (false)')),
    ('bad_services', 'bad_server_revoked', REVOKED),
    # ---- the global configuration
    ('bad_configuration', 'bad_configuration_signature bad_configuration_directory_altered', (DIRECTORY, '        err = verify_data(cert->key, alg, data, buf_view(&value));', '        err = 0;')),
    ('bad_configuration', 'bad_configuration_part_altered', (DIRECTORY, 'if (digest_eq(&got, &p->hash))', 'if (true)')),
    ('bad_configuration', 'bad_configuration_part_missing', (CONF, '    if (status != 200)\n        return diag_set(d, ERR_GC_PART_DOWNLOAD, "%s: status', '    if (false)\n        return diag_set(d, ERR_GC_PART_DOWNLOAD, "%s: status')),
    ('bad_configuration', 'bad_configuration_of_stranger', (DIRECTORY, '        if (digest_eq(&want, &got)) {', '        if (true) {')),
    ('bad_configuration', 'bad_configuration_replayed', (CONF, 'if (stored == INT64_MAX || dir->expires_ms >= stored)', 'if (true)')),
    ('bad_configuration', 'bad_configuration_no_document', (DIRECTORY, '    return diag_set(d, ERR_GC_PARSE, "the closing delimiter is missing");', '    return 0;')),
    ('bad_configuration', 'bad_configuration_without_end', ('src/net/http_fetch.c', '    if (!f->out->body.failed)\n        return;', '    if (true)\n        return;')),
    ('bad_configuration', 'bad_configuration_expired', EXPIRED_CONF),
    # ---- the log
    ('bad_storage', 'bad_disk_full_consumer bad_disk_full_provider bad_disk_full_restart', UNWRITTEN),
    ('bad_storage', 'bad_disk_low', ('src/gateway/mlog.c', 'if (m->free >= m->snap->conf.min_free)', 'if (true)')),
    ('bad_storage', 'bad_log_altered bad_log_altered_at_start', CHECKSUM),
    ('bad_storage', 'bad_log_forged', ('src/journal/journal_verify.c', 'if (memcmp(&leaf, &c->leaf[seq - c->at], sizeof leaf) == 0)', 'if (true)')),
    ('bad_storage', 'bad_log_truncated', ('src/journal/journal_refresh.c', '        rc = read_on(j, whole, d);\n', '        rc = read_on(j, whole, d);\n        if (rc == ERR_CORRUPT) {\n            rc = 0;\n            break;\n        }\n'),
     ('src/journal/journal_verify.c', 'if (h->size > j->durable) {', 'if (false) {')),
    ('bad_storage', 'bad_container_altered', (CHAIN, '    if (!digest_eq(&own, digest))\n', '    if (false)\n')),
    # ---- power cuts and failing disks
    ('fault-log-power', CUTS, (MLOG, 'int rc = m->n == 0 && !m->failed ? 0 : journal_sync(m->journal, &d);', 'int rc = 0;')),
    ('fault-log-power', CUTS, (MLOG, '        if (rc != 0) {\n            refuse(m, w->line, w->id, &d);\n            continue;\n        }\n', '')),
    ('fault-log-power', CUTS, (STAMPING, '    rc = rc != 0 ? rc : journal_sync(s->journal, &d);\n', '')),
    ('fault-log-power', CUTS, (STAMPING, '*below = st.entry[st.n - 1].seq + 1;', '*below = seq + 1;')),
    ('fault-log-power', CUTS, (MLOG, '        stamping_add(m->stamping, m->waiting[i].seq, &m->waiting[i].hash);', '        if (m->waiting[i].line != NULL)\n            stamping_add(m->stamping, m->waiting[i].seq, &m->waiting[i].hash);')),
    ('fault-log-power', CUTS, ('src/gateway/blobs.c', 'if (k->segment == journal_segment(j))', 'if (k->segment != UINT64_MAX)')),
    ('fault-log-power', FAILURES, (MLOG, '    if (seq != UINT64_MAX)\n        m->waiting', '    if (rc == 0)\n        m->waiting')),
    ('fault-log-power', FAILURES, CLOSING),
    ('fault-journal-power', 'after_a_segment_could_not_be_begun_a_smaller_record_does_not_go_into_the_last', CLOSING),
]
