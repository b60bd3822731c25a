/* The SDK, tried in the sandbox: as a collector (GIVES is defined) it gives a column of each type, as a transformer it reads
 * them back, checks every value and gives them on. What is wrong is the step's error. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stepwell.h"

#define ROWS 150001u /* several pieces, the last of them no whole byte of bits */

#define CHECK(holds)                                                                   \
    do {                                                                               \
        if (!(holds)) sw_permanent("%s:%d: %s does not hold", __FILE__, __LINE__, #holds); \
    } while (0)

static void describe(sw_description *about) {
    sw_about(about, "selftest", "0.1.0", "The SDK, tried in the sandbox.");
    sw_parameter_schema(about, SW_JSON({"type": "object"}));
#ifdef GIVES
    sw_output(about, "table");
#else
    sw_input(about, "table");
    sw_fields columns = sw_wired(about, "table");
    for (size_t at = 0; at < columns.count; at++)
        sw_reads(about, "table", sw_print("%.*s", (int)columns.items[at].name.len, (char *)columns.items[at].name.ptr),
                 columns.items[at].data_type);
    sw_output_same(about, "table", "table");
#endif
}

static const char *const NAMES[] = {"b", "i", "f", "d", "t", "y", "s", "a", "v"};

static void fill(sw_column columns[9]) {
    static const char *const WORDS[] = {"", "a", "\xc3\xa9t\xc3\xa9", "longer than the others"};
    static const uint8_t TAGS[] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int at = 0; at < 8; at++) columns[at] = sw_new((sw_type){.tag = TAGS[at]}, ROWS);
    columns[8] = sw_new(SW_VECTOR(3), ROWS);
    for (size_t row = 0; row < ROWS; row++) {
        sw_set_bool(&columns[0], row, row % 3 == 1);
        if (row % 5 == 0) sw_set_null(&columns[0], row);
        columns[1].i64[row] = -(int64_t)row * 1000000007;
        columns[2].f32[row] = (float)row / 7;
        if (row > 140000) sw_set_null(&columns[2], row);
        columns[3].f64[row] = sqrt((double)row);
        if (row % 8 == 7) sw_set_null(&columns[3], row);
        row % 11 ? sw_push_text(&columns[4], WORDS[row % 4], strlen(WORDS[row % 4])) : sw_push_null(&columns[4]);
        sw_push_text(&columns[5], "\xff\0\x80", row % 4);
        columns[6].i64[row] = (int64_t)row;
        columns[7].i32[row] = -(int32_t)row;
        for (int part = 0; part < 3; part++) columns[8].f32[3 * row + part] = (float)(row + part);
    }
}

#ifdef GIVES
static void discover(sw_fields *columns) {
    sw_field(columns, "b", SW_BOOLEAN, true);
    sw_field(columns, "i", SW_INT64, false);
    sw_field(columns, "f", SW_FLOAT32, true);
    sw_field(columns, "d", SW_FLOAT64, true);
    sw_field(columns, "t", SW_TEXT, true);
    sw_field(columns, "y", SW_BYTES, false);
    sw_field(columns, "s", SW_TIMESTAMP, false);
    sw_field(columns, "a", SW_DATE, false);
    sw_field(columns, "v", SW_VECTOR(3), false);
}

static const sw_json *json(const char *text) { return sw_parse(sw_text_of(text), "text"); }

/* The SDK's own: ends the error of a call, so that the next text can be tried. */
bool sw_take_error(stepwell_platform_errors_error_t *error);

static bool refused(const char *text) {
    stepwell_platform_errors_error_t error;
    bool was_sound = !sw_take_error(&error);
    json(text);
    return was_sound && sw_take_error(&error) && error.tag == STEPWELL_PLATFORM_ERRORS_ERROR_INVALID_INPUT;
}

static void check_json(void) {
    static const char *const BROKEN[] = {
        "", "[1,]", "{\"a\" 1}", "{a: 1}", "01", "1.", "+1", ".5", "1e", "1e999", "nul", "\"open", "\"\\u12\"", "\"\\ud800\"",
        "\"\\u0000\"", "\"\\x\"", "\"tab\t\"", "[1] 2", "[[", "\\", "{\"a\":", "NaN",
    };
    for (size_t at = 0; at < sizeof BROKEN / sizeof *BROKEN; at++) CHECK(refused(BROKEN[at]));
    char deep[200] = {0};
    CHECK(refused(memset(deep, '[', 199)));
    const sw_json *all = json(" {\"n\": -1.5e3, \"i\": 9007199254740993, \"s\": \"\\u00e9\\u20ac\\ud83d\\ude00\\n\\\"\", \"t\": true,"
                              "\"l\": [1, [], {}, null], \"n\": 2}\n");
    CHECK(sw_number(all, "n", 0) == -1500);
    CHECK(sw_integer(all, "i", 0) == 9007199254740993);
    CHECK(strcmp(sw_string(all, "s", ""), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\"") == 0);
    CHECK(sw_truth(all, "t", false) && !sw_truth(all, "absent", false));
    CHECK(sw_count(sw_member(all, "l")) == 4 && sw_as_number(sw_item(sw_member(all, "l"), 0)) == 1);
    CHECK(sw_member(all, "absent") == NULL && sw_item(NULL, 0) == NULL && sw_number(NULL, "x", 7) == 7);
    double values[] = {0.1, -0.0, 1e300, 4.9e-324, 1.0 / 3};
    const sw_json *list = json(sw_numbers(values, 5));
    for (size_t at = 0; at < 5; at++) CHECK(sw_as_number(sw_item(list, at)) == values[at]);
    CHECK(sw_count(json(sw_numbers(NULL, 0))) == 0);
    CHECK(strcmp(sw_as_string(json(sw_quoted("a\"\\\n\xc3\xa9"))), "a\"\\\n\xc3\xa9") == 0);
}

static void read(const sw_text *cursor, sw_page *page) {
    check_json();
    sw_column columns[9];
    sw_columns out = {0};
    CHECK(!cursor || sw_equal(*cursor, "end"));
    fill(columns);
    for (int at = 0; at < 9; at++) sw_add(&out, NAMES[at], columns[at]);
    sw_table *all = sw_table_of(&out);
    *page = (sw_page){cursor ? sw_slice(all, 0, 0) : all, sw_text_of("end"), false, false};
}

SW_COLLECTOR(discover, read);

#else
static void check_rows(const sw_column *got, const sw_column *wanted, size_t row) {
    for (int at = 0; at < 9; at++) CHECK(sw_has(&got[at], row) == sw_has(&wanted[at], row));
    if (sw_has(&got[0], row)) CHECK(sw_bool_at(&got[0], row) == (row % 3 == 1));
    CHECK(got[1].i64[row] == wanted[1].i64[row]);
    if (sw_has(&got[2], row)) CHECK(got[2].f32[row] == wanted[2].f32[row]);
    if (sw_has(&got[3], row)) CHECK(got[3].f64[row] == wanted[3].f64[row]);
    for (int at = 4; at < 6; at++) {
        sw_text one = sw_text_at(&got[at], row), other = sw_text_at(&wanted[at], row);
        CHECK(one.length == other.length && memcmp(one.data, other.data, one.length) == 0);
    }
    CHECK(got[6].i64[row] == (int64_t)row && got[7].i32[row] == -(int32_t)row);
    CHECK(memcmp(&got[8].f32[3 * row], &wanted[8].f32[3 * row], 12) == 0);
}

static void check_tables(sw_table *table, sw_columns *again) {
    sw_column got[9], wanted[9];
    fill(wanted);
    for (int at = 0; at < 9; at++) got[at] = sw_read(table, NAMES[at], wanted[at].type);
    for (int at = 0; at < 9; at++) CHECK(got[at].length == ROWS && got[at].nullable == wanted[at].nullable);
    for (size_t row = 0; row < ROWS && !sw_failed(); row++) check_rows(got, wanted, row);
    for (int at = 0; at < 9; at++) sw_add(again, NAMES[at], got[at]);
    sw_column few = sw_read_rows(table, "t", SW_TEXT, ROWS - 2, 100);
    CHECK(few.length == 2 && sw_text_at(&few, 1).length == sw_text_at(&got[4], ROWS - 1).length);
    CHECK(sw_read_rows(table, "t", SW_TEXT, ROWS, 1).length == 0);
    sw_push_text(&few, "pushed", 6); /* a column that was read can grow */
    CHECK(few.length == 3 && sw_equal(sw_text_at(&few, 2), "pushed"));
    uint64_t rows[] = {9, 9, 4};
    sw_table *taken = sw_take(table, rows, 3);
    CHECK(sw_rows(taken) == 3 && sw_read(taken, "i", SW_INT64).i64[2] == got[1].i64[4]);
    CHECK(sw_rows(sw_slice(table, ROWS - 1, 5)) == 1);
    CHECK(sw_schema(sw_select(table, (const char *[]){"v", "b"}, 2)).len == 2);
}

static void run(const sw_tables *inputs, sw_tables *outputs) {
    sw_columns again = {0};
    sw_table *table = sw_port(inputs, "table");
    if (!sw_failed()) check_tables(table, &again);
    if (sw_string(sw_parameters(), "absent", NULL)) { /* after an error all goes on safely, to the first error */
        sw_column none = sw_read(table, "absent", SW_TEXT);
        CHECK(none.length == ROWS && sw_text_at(&none, ROWS - 1).length == 0);
        sw_add(&again, "x", sw_read(table, "i", SW_FLOAT64));
        sw_invalid("second", "never seen");
    }
    printf("checked %u rows\n", ROWS);
    sw_put(outputs, "table", sw_with(table, &again));
}

SW_TRANSFORMER(run);
#endif

SW_DESCRIBE(describe);
