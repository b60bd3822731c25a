/* The lines of a text file, some thousand bytes a page. The next run goes on behind the last line. */
#include <stdlib.h>

#include "stepwell.h"

#define PAGE_BYTES 65536

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "The lines of a text file.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "required": ["path"],
        "properties": {"path": {"type": "string", "description": "A file beneath a granted folder."}}
    }));
    sw_output(about, "table");
}

static void discover(sw_fields *columns) { sw_field(columns, "line", SW_TEXT, false); }

/* A cursor is the position of the next line, in decimal. */
static void read(const sw_text *cursor, sw_page *page) {
    uint64_t start = cursor ? strtoull(sw_print("%.*s", (int)cursor->length, cursor->data), NULL, 10) : 0;
    sw_file file = sw_open(sw_string(sw_parameters(), "path", ""));
    sw_text bytes = sw_file_read(file, start, PAGE_BYTES);
    sw_column lines = sw_new(SW_TEXT, 0);
    size_t begin = 0;
    for (size_t at = 0; at < bytes.length; at++) {
        if (bytes.data[at] != '\n') continue;
        sw_push_text(&lines, bytes.data + begin, at - begin);
        begin = at + 1;
    }
    if (lines.length == 0 && bytes.length == PAGE_BYTES) sw_invalid("path", "expected lines of fewer than %d bytes", PAGE_BYTES);
    sw_columns columns = {0};
    sw_add(&columns, "line", lines);
    const char *next = sw_print("%llu", (unsigned long long)(start + begin));
    *page = (sw_page){sw_table_of(&columns), sw_text_of(next), bytes.length == PAGE_BYTES, false};
    sw_file_close(file);
}

SW_DESCRIBE(describe);
SW_COLLECTOR(discover, read);
