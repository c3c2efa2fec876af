#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, struct slice s)
{
    uint64_t c = crc;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        c = _mm_crc32_u64(c, w);
    }
    for (; i < s.n; i++)
        c = _mm_crc32_u8((uint32_t)c, s.p[i]);
    return (uint32_t)c;
}
#endif

static uint32_t crc_bits(uint32_t crc, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        crc ^= s.p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0x82F63B78u & -(crc & 1));
    }
    return crc;
}

uint32_t crc32c(uint32_t crc, struct slice s)
{
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_sse42(crc, s);
#endif
    return ~crc_bits(crc, s);
}
