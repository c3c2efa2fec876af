/* What a verified container says, for a person or as JSON. */
#include "base/hex.h"
#include "base/timeval.h"
#include "evidence/asic.h"
#include "wire/json.h"

void asic_report_free(struct asic_report *r)
{
    cert_free(r->cert);
    cert_free(r->ocsp_responder);
    cert_free(r->tsa);
    r->cert = r->ocsp_responder = r->tsa = NULL;
}

static void put_subject(struct buf *out, const struct cert *c)
{
    cert_name_rfc2253(X509_get_subject_name(c->x509), out);
}

static void put_text(const struct asic_report *r, struct buf *out)
{
    char time[TIMEVAL_TEXT];
    buf_str(out, "valid: ");
    id_client_short(out, &r->client);
    buf_str(out, " → ");
    id_service_short(out, &r->service);
    buf_printf(out, " (%s)\n", r->response ? "response" : "request");
    buf_str(out, "  message id     ");
    buf_slice(out, r->message_id);
    buf_str(out, "\n  signed by      ");
    id_client_short(out, &r->signer);
    buf_str(out, "\n  certificate    ");
    put_subject(out, r->cert);
    buf_str(out, ", serial number ");
    cert_serial_decimal(r->cert, out);
    buf_str(out, ", issued by ");
    cert_name_rfc2253(X509_get_issuer_name(r->cert->x509), out);
    timeval_print_iso(r->timestamp_ms, false, time);
    buf_printf(out, "\n  time-stamped   %s by ", time);
    put_subject(out, r->tsa);
    timeval_print_iso(r->ocsp_produced_ms, false, time);
    buf_printf(out, "\n  OCSP response  %s", time);
    if (r->ocsp_responder != NULL) {
        buf_str(out, " by ");
        put_subject(out, r->ocsp_responder);
    }
    buf_str(out, "\n");
    for (size_t i = 0; i < r->n_att; i++) {
        const struct asic_attachment *a = &r->att[i];
        buf_printf(out, "  attachment     %.*s: ", SLICE_ARG(a->name));
        if (a->digest.alg == DIGEST_NONE)
            buf_str(out, "in the container, but not signed\n");
        else
            buf_printf(out, "%s, %s ", a->verified ? "verified" : "unverified",
                       digest_name(a->digest.alg));
        if (a->digest.alg != DIGEST_NONE) {
            hex_append(out, digest_slice(&a->digest));
            buf_str(out, "\n");
        }
    }
}

static void put_cert(struct json_out *j, const char *key, const struct cert *c)
{
    json_key(j, key);
    if (c == NULL) {
        json_none(j);
        return;
    }
    struct buf text;
    buf_init(&text, 8192);
    json_open(j, '{');
    put_subject(&text, c);
    json_kslice(j, "subject", buf_view(&text));
    buf_reset(&text);
    cert_name_rfc2253(X509_get_issuer_name(c->x509), &text);
    json_kslice(j, "issuer", buf_view(&text));
    buf_reset(&text);
    cert_serial_decimal(c, &text);
    json_kslice(j, "serial_number", buf_view(&text));
    buf_free(&text);
    json_close(j, '}');
}

static void put_client(struct json_out *j, const char *key, const struct id_client *id)
{
    struct buf text;
    buf_init(&text, 4096);
    id_client_short(&text, id);
    json_kslice(j, key, buf_view(&text));
    buf_free(&text);
}

static void put_time(struct json_out *j, const char *key, int64_t ms)
{
    char time[TIMEVAL_TEXT];
    timeval_print_iso(ms, false, time);
    json_kstr(j, key, time);
}

static void put_attachments(struct json_out *j, const struct asic_report *r)
{
    json_key(j, "attachments");
    json_open(j, '[');
    for (size_t i = 0; i < r->n_att; i++) {
        const struct asic_attachment *a = &r->att[i];
        json_open(j, '{');
        json_kslice(j, "name", a->name);
        json_key(j, "signed");
        json_bool(j, a->digest.alg != DIGEST_NONE);
        json_key(j, "verified");
        json_bool(j, a->verified);
        if (a->digest.alg != DIGEST_NONE) {
            char hex[2 * DIGEST_MAX + 1];
            hex_print(digest_slice(&a->digest), hex);
            json_kstr(j, "algorithm", digest_name(a->digest.alg));
            json_kstr(j, "digest", hex);
        }
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_json(const struct asic_report *r, struct buf *out)
{
    struct json_out j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_kstr(&j, "kind", r->response ? "response" : "request");
    put_client(&j, "client", &r->client);
    struct buf text;
    buf_init(&text, 4096);
    id_service_short(&text, &r->service);
    json_kslice(&j, "service", buf_view(&text));
    buf_free(&text);
    json_kslice(&j, "message_id", r->message_id);
    put_client(&j, "signer", &r->signer);
    put_cert(&j, "certificate", r->cert);
    put_time(&j, "time_stamped", r->timestamp_ms);
    put_cert(&j, "time_stamp_authority", r->tsa);
    put_time(&j, "ocsp_produced", r->ocsp_produced_ms);
    put_cert(&j, "ocsp_responder", r->ocsp_responder);
    put_attachments(&j, r);
    json_close(&j, '}');
}

void asic_report_print(const struct asic_report *r, bool json, struct buf *out)
{
    if (json)
        put_json(r, out);
    else
        put_text(r, out);
}
