#include "wire/xml_escape.h"

#include "wire/xml.h"

void xml_escape_by(struct buf *b, struct slice text, const char *const table[XML_ESCAPES])
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c >= XML_ESCAPES || table[c] == NULL)
            continue;
        buf_slice(b, slice_sub(text, from, i - from));
        buf_str(b, table[c]);
        from = i + 1;
    }
    buf_slice(b, slice_from(text, from));
}

void xml_escape(struct buf *b, struct slice text)
{
    static const char *const table[XML_ESCAPES] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['\r'] = "&#13;"};
    xml_escape_by(b, text, table);
}

/* Tab and line feed are escaped too: a parser would make blanks of them. */
void xml_escape_attr(struct buf *b, struct slice text)
{
    static const char *const table[XML_ESCAPES] = {
        ['&'] = "&amp;", ['<'] = "&lt;",   ['>'] = "&gt;",  ['"'] = "&quot;",
        ['\t'] = "&#9;", ['\n'] = "&#10;", ['\r'] = "&#13;"};
    xml_escape_by(b, text, table);
}
