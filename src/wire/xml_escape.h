/* Escaping of text by a table; shared by the writers of plain and canonical XML. */
#ifndef SILD_WIRE_XML_ESCAPE_H
#define SILD_WIRE_XML_ESCAPE_H

#include "base/buf.h"
#include "base/slice.h"

/* What stands for a byte, NULL for itself. All that XML ever escapes is below 64. */
#define XML_ESCAPES 64

/* Appends text with the replacements of the table. */
void xml_escape_by(struct buf *b, struct slice text, const char *const table[XML_ESCAPES]);

#endif
