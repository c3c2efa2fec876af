/*
 * The program's tables as lines of fields with tabs between them, for the test of the manual:
 *
 *     key <section> <key> <default, or ->
 *     word <noun> <verb> <arguments>
 */
#include "authority/authority_conf.h"
#include "authority/state.h"
#include "gateway/serverconf.h"
#include "ledger/aggregate_conf.h"
#include "ledger/ledger_conf.h"
#include "registry/registry_conf.h"
#include "trust/trust_conf.h"
#include "witness/witness_conf.h"

#include <stdio.h>

static void print(const struct conf_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("key\t%s\t%s\t%s\n", rules[i].section, rules[i].key,
               rules[i].fallback == NULL ? "-" : rules[i].fallback);
}

int main(void)
{
    print(serverconf_rules, serverconf_rule_count);
    print(trust_conf_rules, trust_conf_rule_count);
    print(authority_conf_rules, authority_conf_rule_count);
    print(ledger_conf_rules, ledger_conf_rule_count);
    print(aggregate_conf_rules, aggregate_conf_rule_count);
    print(registry_conf_rules, registry_conf_rule_count);
    print(witness_conf_rules, witness_conf_rule_count);
    for (size_t i = 0; i < state_verb_count; i++)
        printf("word\t%s\t%s\t%s\n", state_verbs[i].noun, state_verbs[i].verb, state_verbs[i].args);
    return 0;
}
