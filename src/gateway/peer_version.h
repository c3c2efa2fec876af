/*
 * The version that a peer names in x-proxy-version, a semantic one (semver.org 2.0.0, sections 2, 9
 * to 11): "7.8.0", "7.8.1-SNAPSHOT".
 */
#ifndef SILD_GATEWAY_PEER_VERSION_H
#define SILD_GATEWAY_PEER_VERSION_H

#include "base/slice.h"

struct peer_version {
    uint64_t part[3];
    bool before; /* a pre-release: comes before the version itself */
};
bool peer_version_parse(struct slice text, struct peer_version *out);
/* Negative, zero, positive. Two pre-releases of one version are alike here. */
int peer_version_cmp(const struct peer_version *a, const struct peer_version *b);

#endif
