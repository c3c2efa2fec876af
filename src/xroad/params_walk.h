/*
 * Walking the tree of a parameter file in the order of its schema. The first thing that is wrong is
 * kept in the walk and ends it: later steps give NULL or nothing, so that one check at the end of a
 * reader is enough. For params_*.c only.
 */
#ifndef SILD_XROAD_PARAMS_WALK_H
#define SILD_XROAD_PARAMS_WALK_H

#include "wire/xml.h"
#include "xroad/params.h"

#define PARAMS_NS "http://x-road.eu/xsd/xroad.xsd"

struct params_walk {
    struct arena *a;
    struct diag *d;
    int code; /* what everything wrong is called */
    int err;
    /* of a document that is read in pieces */
    struct xml_pieces *pieces;
    char name[40]; /* of the root's child that is read now, and which one of this name it is */
    size_t place;
};

/* A place among the children of an element. */
struct params_at {
    const struct xml_node *parent, *next;
    bool in_pieces, taken; /* next is a piece, and it has been given out */
};

/* Parses; the root must have this local name in X-Road's namespace. NULL when not. */
const struct xml_node *params_walk_root(struct params_walk *w, struct slice xml, const char *name);
/*
 * The same for a document of many children, in pieces: before its first child. An element that
 * params_walk_must or _may gives from here is gone with the next such call; params_walk_count
 * counts at most one. params_walk_end when done, also after an error.
 */
struct params_at params_walk_begin(struct params_walk *w, struct slice xml, const char *name);
void params_walk_end(struct params_walk *w);
/* The first wrong thing, with the path of the element. */
void params_walk_fail(struct params_walk *w, const struct xml_node *e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Before the first child; character data between children is wrong. */
struct params_at params_walk_enter(struct params_walk *w, const struct xml_node *e);
/* The next child, which must / may have this name; NULL when it is wrong / another. */
const struct xml_node *params_walk_must(struct params_walk *w, struct params_at *at,
                                        const char *name);
const struct xml_node *params_walk_may(struct params_walk *w, struct params_at *at,
                                       const char *name);
/* Goes over the next child, whatever it is; false when none is left. */
bool params_walk_any(struct params_walk *w, struct params_at *at);
/* How many children of this name come next, and room for as many zeroed things. */
size_t params_walk_count(const struct params_at *at, const char *name);
void *params_walk_array(struct params_walk *w, size_t n, size_t size);
/* Room for one more in an array of n that grows; the new one is zeroed. NULL: no memory. */
void *params_walk_more(struct params_walk *w, void *array, size_t n, size_t size);
/* No child is left. */
void params_walk_close(struct params_walk *w, struct params_at *at);

/* Contents; e may be NULL. Text is zero-terminated. */
struct slice params_walk_text(struct params_walk *w, const struct xml_node *e);
struct slice params_walk_filled(struct params_walk *w, const struct xml_node *e); /* not blank */
struct slice params_walk_base64(struct params_walk *w, const struct xml_node *e);
struct slice params_walk_cert(struct params_walk *w, const struct xml_node *e); /* PEM undone */
bool params_walk_bool(struct params_walk *w, const struct xml_node *e);
int64_t params_walk_int(struct params_walk *w, const struct xml_node *e, int64_t min, int64_t max);
/* All of the next children of this name as certificates or hashes. */
void params_walk_certs(struct params_walk *w, struct params_at *at, const char *name,
                       struct params_list *out);
void params_walk_hashes(struct params_walk *w, struct params_at *at, const char *name,
                        struct params_list *out);
void params_walk_client(struct params_walk *w, const struct xml_node *e, struct id_client *out);

#endif
