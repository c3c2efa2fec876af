#include "gateway/advice.h"
#include "base/err.h"
#include "gateway/refusal.h"

#include <stdio.h>
#include <string.h>

#define C REFUSAL_CONSUMER
#define P REFUSAL_PROVIDER
#define LOGGING "logging_failed"
#define SIGNING "cannot_create_signature"

#define RENEW_CERT                                                                                 \
    "the operator of the server whose certificate is named gets a new one from its certification " \
    "authority and has it registered"
#define CLOCKS                                                                                     \
    "compare the clocks of both servers, and see that the server named can reach its OCSP "        \
    "responder"
#define CHANGED                                                                                    \
    "do not use the message; tell the operators of both servers, who find it in their logs by "    \
    "this fault's id"
#define REGISTER_SERVER                                                                            \
    "the operator of that server has its authentication certificate and this client registered "   \
    "at the authority"
#define OUTDATED                                                                                   \
    "the operator of that server sees that the authority can be reached from it and that its "     \
    "clock is right"
#define STAYS "; what is stored stays in use until it expires"
#define REACH_AUTHORITY "see that the authority can be reached from this server" STAYS
#define FORGED_CONF                                                                                \
    "the authority's operator compares what is downloaded, and this server's anchor, with what "   \
    "the authority signed" STAYS
#define LOG_CONF                                                                                   \
    "the authority's operator sees that the ledger takes the heads of the authority's "            \
    "journal" STAYS
#define OWN_SIGNING                                                                                \
    "the operator of that security server sees that the signing certificate is valid, that its "   \
    "OCSP responder can be reached, and that the clock is right"

/* The first row that fits counts; NULL and 0 fit all. */
static const struct {
    const char *side, *phase;
    int code;
    const char *text;
} table[] = {
    /* the caller's own request */
    {C, NULL, ERR_BAD_REQUEST,
     "correct the request: METHOD /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE/path with the "
     "header X-Road-Client: INSTANCE/CLASS/MEMBER/SUBSYSTEM, percent-encoded"},
    {C, NULL, ERR_INVALID_CLIENT_ID,
     "send the header X-Road-Client: INSTANCE/CLASS/MEMBER/SUBSYSTEM"},
    {C, NULL, ERR_INVALID_REQUEST, "call a service as /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE"},
    {C, NULL, ERR_INVALID_SECURITY_SERVER,
     "leave X-Road-Security-Server out, or name a server at which the provider is registered"},
    {C, NULL, ERR_MAINTENANCE_MODE, "try again when the maintenance is over"},
    {NULL, SIGNING, 0, OWN_SIGNING},
    {NULL, NULL, ERR_CANNOT_CREATE_SIGNATURE, OWN_SIGNING},
    {NULL, REFUSAL_TLS, ERR_CERT_VALIDITY_TIME, RENEW_CERT ", or corrects its clock"},
    {NULL, REFUSAL_SIGNATURE, ERR_CERT_VALIDITY_TIME, RENEW_CERT ", or corrects its clock"},
    {NULL, NULL, ERR_CERT_VALIDITY_TIME, OWN_SIGNING},
    {C, NULL, ERR_UNKNOWN_MEMBER,
     "check spelling and case; a client must stand under [client] at this security server, a "
     "provider must be registered at the authority"},
    /* certificates and their OCSP responses, of whichever side */
    {NULL, NULL, ERR_CERT_VALIDATION, RENEW_CERT},
    {NULL, NULL, ERR_CANNOT_CREATE_CERT_PATH, RENEW_CERT},
    {NULL, NULL, ERR_INCORRECT_CERTIFICATE, RENEW_CERT},
    {NULL, NULL, ERR_INCORRECT_VALIDATION_INFO, CLOCKS},
    {C, REFUSAL_TLS, 0, REGISTER_SERVER},
    {C, NULL, ERR_SSL_AUTH,
     "connect as this client's entry 'connection' at the security server says, with a certificate "
     "that is stored there"},
    {P, NULL, ERR_SSL_AUTH,
     "the operator of the consumer's server sees that its authentication certificate is valid and "
     "registered at the authority for this client, and its OCSP response fresh: compare the clocks "
     "of both servers"},
    /* both servers */
    {NULL, LOGGING, ERR_TIMESTAMPING_FAILED,
     "the operator of that server sees that a time-stamping authority can be reached; exchange "
     "goes on by itself after the next time-stamp"},
    {NULL, LOGGING, ERR_MLOG_NO_TSP,
     "the operator of that server sets time_stamping under [log] and reloads"},
    {NULL, LOGGING, ERR_DISK_FULL,
     "the operator of that server frees space under its message log; exchange goes on by itself"},
    {NULL, LOGGING, ERR_DATABASE, "send an X-Road-Id of at most 255 bytes without zero bytes"},
    {NULL, LOGGING, 0,
     "the operator of that server finds the reason in its log under this fault's id"},
    {C, NULL, ERR_GC_OUTDATED, OUTDATED},
    {P, NULL, ERR_GC_OUTDATED, OUTDATED},
    {NULL, LOGGING, ERR_GC_OUTDATED, OUTDATED},
    {NULL, NULL, ERR_GC_OUTDATED, FORGED_CONF},
    {NULL, NULL, ERR_GC_CONNECTION, REACH_AUTHORITY},
    {NULL, NULL, ERR_GC_PART_DOWNLOAD, REACH_AUTHORITY},
    {NULL, NULL, ERR_GC_SIGNATURE, FORGED_CONF},
    {NULL, NULL, ERR_GC_NO_CERT, FORGED_CONF},
    {NULL, NULL, ERR_GC_UNPROVEN, LOG_CONF},
    {NULL, NULL, ERR_GC_NO_SIGNED_DATA, FORGED_CONF},
    {NULL, NULL, ERR_GC_HEADER_MISSING, FORGED_CONF},
    {NULL, NULL, ERR_GC_HEADER_PARAM, FORGED_CONF},
    {NULL, NULL, ERR_GC_HEADER_VALUE, FORGED_CONF},
    {NULL, NULL, ERR_GC_PARSE, FORGED_CONF},
    {NULL, NULL, ERR_GC_INSTANCE, FORGED_CONF},
    {NULL, NULL, ERR_GC_PART_INTEGRITY, FORGED_CONF},
    {NULL, REFUSAL_SIGNATURE, 0, CHANGED},
    {NULL, NULL, ERR_MISSING_SIGNATURE, CHANGED},
    {NULL, NULL, ERR_INCONSISTENT_RESPONSE, CHANGED},
    {NULL, NULL, ERR_INVALID_RESPONSE, CHANGED},
    {NULL, NULL, ERR_INVALID_MESSAGE, CHANGED},
    {NULL, NULL, ERR_INVALID_CONTENT_TYPE, CHANGED},
    {NULL, NULL, ERR_MIME_PARSING, CHANGED},
    {NULL, NULL, ERR_MISSING_REST, CHANGED},
    {C, NULL, ERR_HTTP, CHANGED},
    /* the provider's side */
    {P, NULL, ERR_UNKNOWN_MEMBER,
     "the provider's operator adds [client] for it at that security server, or has its "
     "registration there taken back"},
    {P, NULL, ERR_UNKNOWN_SERVICE,
     "check the service's name: listMethods of the provider lists what is there"},
    {P, NULL, ERR_ACCESS_DENIED,
     "ask the provider to allow this client the method and path (allow, under [service])"},
    {P, NULL, ERR_SERVICE_DISABLED, "try again later, or ask the provider"},
    {P, NULL, ERR_SERVICE_MISSING_URL, "the provider's operator sets url under [service]"},
    {P, NULL, ERR_BAD_REQUEST, "correct the path: it must mean one thing only"},
    {P, NULL, ERR_INVALID_HTTP_METHOD, "another security server sends its messages by POST"},
    {P, NULL, ERR_SERVICE_TYPE, "call the service by REST"},
    {P, NULL, ERR_CLIENT_VERSION, "the consumer's operator updates the security server"},
    {P, NULL, ERR_UNKNOWN_HOST,
     "the provider's operator corrects the host in url under [service], or its name service"},
    {P, NULL, ERR_NETWORK,
     "the provider's operator sees that the information system answers at url under [service]"},
    {P, NULL, ERR_IO,
     "the provider's operator sees whether the information system at url under [service] answers "
     "whole and in time"},
    {P, NULL, ERR_CLOSED, "the consumer's operator sees why the connection ended early"},
    /* the way to the provider's server */
    {C, NULL, ERR_NETWORK,
     "see that the provider's security server runs and can be reached from this one on its peer "
     "port"},
    {C, NULL, ERR_IO,
     "try again; when it happens again, the operators of both servers look into their logs"},
    {C, NULL, ERR_TIMEOUT,
     "try again later; when it happens again, the provider's operator sees why its server is "
     "silent"},
    {C, NULL, ERR_CLOSED,
     "try again; when it happens again, the provider's operator sees why its server hangs up"},
    {NULL, NULL, ERR_CORRUPT,
     "keep the folder as it is for an inquiry, and put a copy made before in its place; sild "
     "journal verify says what is damaged"},
    {NULL, NULL, 0, "the operator of that server finds more in its log under this fault's id"},
};

static bool fits(const char *want, const char *have)
{
    return want == NULL || (have != NULL && strcmp(want, have) == 0);
}

const char *advice_for(const char *side, const char *phase, int code)
{
    size_t i = 0;
    while (!fits(table[i].side, side) || !fits(table[i].phase, phase) ||
           (table[i].code != 0 && table[i].code != code))
        i++; /* the last row fits all */
    return table[i].text;
}

static const char mark[] = ". Next step: ";

/* Appends the step to a text of at most cap bytes with its end. */
static void append(char *out, size_t cap, const char *text)
{
    size_t n = strlen(out), room = cap - sizeof mark - strlen(text);
    if (n > room)
        n = room;
    while (n > 0 && (out[n - 1] == '.' || (out[n] & 0xC0) == 0x80))
        n--; /* no second full stop, and no character cut in the middle */
    snprintf(out + n, cap - n, "%s%s", mark, text);
}

void advice_add(struct fault *f, const char *side, const char *phase, int code)
{
    append(f->text, sizeof f->text, advice_for(side, phase, code));
}

void advice_to_diag(struct diag *d)
{
    append(d->text, sizeof d->text, advice_for(NULL, NULL, d->code));
}
