/*
 * The one layout in which X-Road and Sild write hash chains (signature.md 4.1 to 4.3): its fixed
 * text, and a reader of documents that keep to it octet for octet. The steps of a chain are STEP0,
 * STEP1, …, each but the last refers to the next.
 */
#ifndef SILD_EVIDENCE_HASHCHAIN_FORM_H
#define SILD_EVIDENCE_HASHCHAIN_FORM_H

#include "evidence/hashchain.h"

#define HASHCHAIN_FORM_BEGIN                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<ns2:HashChain"
#define HASHCHAIN_FORM_NAMESPACES                                                                  \
    "xmlns=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:ns2=\"http://cyber.ee/hashchain\""

#define HASHCHAIN_FORM_RESULT HASHCHAIN_FORM_BEGIN "Result URI=\""
#define HASHCHAIN_FORM_RESULT_METHOD                                                               \
    "\" " HASHCHAIN_FORM_NAMESPACES ">\n    <DigestMethod Algorithm=\""
#define HASHCHAIN_FORM_METHOD_END "\"/>\n"
#define HASHCHAIN_FORM_RESULT_INDENT "    "
#define HASHCHAIN_FORM_RESULT_END "</ns2:HashChainResult>\n"

#define HASHCHAIN_FORM_CHAIN                                                                       \
    HASHCHAIN_FORM_BEGIN " " HASHCHAIN_FORM_NAMESPACES ">\n"                                       \
                         "    <ns2:DefaultDigestMethod Algorithm=\""
/* Behind these two stand a number and their _TAIL. */
#define HASHCHAIN_FORM_STEP "    <ns2:HashStep id=\"STEP"
#define HASHCHAIN_FORM_STEP_TAIL "\">\n"
#define HASHCHAIN_FORM_STEP_REF "        <ns2:StepRef URI=\"#STEP"
#define HASHCHAIN_FORM_STEP_REF_TAIL "\"/>\n"
#define HASHCHAIN_FORM_STEP_END "    </ns2:HashStep>\n"
#define HASHCHAIN_FORM_HASH "        <ns2:HashValue>\n"
#define HASHCHAIN_FORM_HASH_END "        </ns2:HashValue>\n"
#define HASHCHAIN_FORM_DATA "        <ns2:DataRef URI=\""
#define HASHCHAIN_FORM_DATA_VALUE "\">\n"
#define HASHCHAIN_FORM_DATA_END "        </ns2:DataRef>\n"
#define HASHCHAIN_FORM_ITEM_INDENT "            "
#define HASHCHAIN_FORM_VALUE "<DigestValue>"
#define HASHCHAIN_FORM_VALUE_END "</DigestValue>\n"
#define HASHCHAIN_FORM_CHAIN_END "</ns2:HashChain>\n"

#define HASHCHAIN_FORM_DIGITS 20

/* A step's number in decimal, in out. */
struct slice hashchain_form_number(size_t n, char out[HASHCHAIN_FORM_DIGITS]);

/*
 * True: both documents keep to the form, name exactly the inputs (each with its digest) and lead to
 * the result's digest; hashchain_verify would accept them. False says nothing: it is the XML parser
 * that finds what is wrong, or that the documents are good in another form.
 */
bool hashchain_form_verify(struct slice result, struct slice chain, struct slice chain_name,
                           const struct hashchain_input *in, size_t n);

#endif
