/* Compiler attributes used throughout: a result that must be looked at, printf-like functions. */
#ifndef SILD_BASE_ATTR_H
#define SILD_BASE_ATTR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
