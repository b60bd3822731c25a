/* Tables and columns: read a piece at a time into whole columns, written a piece at a time. */
#include <string.h>

#include "internal.h"

/* Rows of one call to the host: 512 KiB of numbers. */
#define PIECE_ROWS 65536u
/* Of what is written in one call; the contract's limit is 32 MiB. */
#define PIECE_BYTES (8u << 20)

typedef stepwell_data_tables_column_t wire_column;
typedef stepwell_data_tables_field_t wire_field;

static stepwell_data_tables_borrow_table_t borrowed(const sw_table *table) {
    return (stepwell_data_tables_borrow_table_t){sw_table_handle(table)};
}

/* ---- columns ---- */

static const char *type_name(sw_type type) {
    static const char *const NAMES[] = {"boolean", "int64", "float32", "float64", "text", "bytes", "timestamp", "date"};
    return type.tag < 8 ? NAMES[type.tag] : sw_print("vector(%u)", (unsigned)type.val.vector);
}

static bool same_type(sw_type one, sw_type other) {
    bool vector = one.tag == STEPWELL_DATA_TABLES_DATA_TYPE_VECTOR;
    return one.tag == other.tag && (!vector || one.val.vector == other.val.vector);
}

static bool is_text(sw_type type) {
    return type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_TEXT || type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_BYTES;
}

/* Bytes of so many values; not of texts. */
static size_t bytes_of(sw_type type, size_t rows) {
    static const uint8_t WIDTHS[] = {0, 8, 4, 8, 0, 0, 8, 4};
    if (type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_BOOLEAN) return rows / 8 + (rows % 8 != 0);
    uint64_t width = type.tag < 8 ? WIDTHS[type.tag] : 4 * (uint64_t)type.val.vector;
    if (width * rows > SIZE_MAX / 2) __builtin_trap();
    return (size_t)(width * rows);
}

/* Zeros, and empty texts. */
static sw_column zeros(sw_type type, size_t rows) {
    sw_column column = {.type = type, .length = rows};
    if (!is_text(type)) {
        column.data = sw_alloc(bytes_of(type, rows));
        return column;
    }
    if (rows >= SIZE_MAX / 8) __builtin_trap();
    column.offsets = sw_alloc(4 * (rows + 1));
    column.data = sw_alloc(0);
    return column;
}

sw_column sw_new(sw_type type, size_t rows) { return zeros(type, is_text(type) ? 0 : rows); }

static void set_bit(uint8_t *bits, size_t at, bool value) {
    uint8_t bit = (uint8_t)(1u << at % 8);
    bits[at / 8] = value ? bits[at / 8] | bit : bits[at / 8] & (uint8_t)~bit;
}

static void copy_bits(uint8_t *to, size_t at, const uint8_t *from, size_t start, size_t count) {
    if (at % 8 == 0 && start % 8 == 0) {
        memcpy(to + at / 8, from + start / 8, count / 8 + (count % 8 != 0));
        return;
    }
    for (size_t bit = 0; bit < count; bit++) set_bit(to, at + bit, sw_bit(from, start + bit));
}

void sw_set_bool(sw_column *column, size_t row, bool value) { set_bit(column->bits, row, value); }

sw_column sw_may_be_null(sw_column column) {
    column.nullable = true;
    return column;
}

void sw_set_null(sw_column *column, size_t row) {
    column->nullable = true;
    if (!column->validity) {
        size_t rows = column->length > column->row_room ? column->length : column->row_room, bytes = rows / 8 + 1;
        column->validity = memset(sw_alloc(bytes), 0xff, bytes);
    }
    set_bit(column->validity, row, false);
}

/* A buffer with room for more, and what was in it. */
static void *larger(void *buffer, size_t used, size_t bytes) {
    void *made = sw_alloc(bytes);
    if (used) memcpy(made, buffer, used);
    sw_free(buffer);
    return made;
}

static void make_room(sw_column *column, size_t rows, size_t bytes) {
    size_t present = column->length;
    if (rows > column->row_room) {
        column->row_room = 2 * rows + 6;
        column->offsets = larger(column->offsets, 4 * (present + 1), 4 * (column->row_room + 1));
        if (column->validity)
            column->validity = larger(column->validity, present / 8 + (present % 8 != 0), column->row_room / 8 + 1);
    }
    if (bytes > column->byte_room) {
        column->byte_room = 2 * bytes;
        column->data = larger(column->data, column->bytes, column->byte_room);
    }
}

void sw_push_text(sw_column *column, const char *data, size_t length) {
    if (length > INT32_MAX / 2 - column->bytes) {
        sw_permanent("a text column holds at most 1 GiB at a time: use sw_append for fewer rows");
        return;
    }
    make_room(column, column->length + 1, column->bytes + length);
    if (length) memcpy(column->chars + column->bytes, data, length);
    column->bytes += length;
    column->length++;
    column->offsets[column->length] = (int32_t)column->bytes;
    if (column->validity) set_bit(column->validity, column->length - 1, true);
}

void sw_push_null(sw_column *column) {
    sw_push_text(column, NULL, 0);
    if (column->length) sw_set_null(column, column->length - 1);
}

void sw_free_column(sw_column *column) {
    sw_free(column->validity);
    sw_free(column->offsets);
    sw_free(column->data);
    *column = (sw_column){.type = column->type};
}

/* ---- reading ---- */

size_t sw_rows(const sw_table *table) {
    uint64_t rows = sw_table_handle(table) ? stepwell_data_tables_method_table_rows(borrowed(table)) : 0;
    return rows < SIZE_MAX ? (size_t)rows : SIZE_MAX;
}

stepwell_data_tables_list_field_t sw_schema(const sw_table *table) {
    stepwell_data_tables_list_field_t fields = {0};
    if (sw_table_handle(table)) stepwell_data_tables_method_table_schema(borrowed(table), &fields);
    return fields;
}

static bool named(contract_string_t text, const char *name) {
    return sw_equal((sw_text){(const char *)text.ptr, text.len}, name);
}

/* A field of that name; a missing one is an error. */
static bool find_field(const sw_table *table, const char *name, wire_field *found) {
    stepwell_data_tables_list_field_t fields = sw_schema(table);
    for (size_t at = 0; at < fields.len; at++) {
        *found = fields.ptr[at];
        if (named(found->name, name)) return true;
    }
    sw_invalid(name, "expected a column of this name, got %zu of other names", fields.len);
    return false;
}

/* The bytes of a list, which is a block of the call only if it holds any. */
static void *block_of(contract_list_u8_t list, size_t at_least) { return list.len ? list.ptr : sw_alloc(at_least); }

static sw_column from_wire(const wire_column *wire, bool nullable) {
    return (sw_column){
        .type = wire->data_type,
        .nullable = nullable,
        .length = wire->length,
        .validity = wire->validity.is_some ? block_of(wire->validity.val, 1) : NULL,
        .offsets = wire->offsets.is_some ? block_of(wire->offsets.val, 4) : NULL,
        .data = block_of(wire->data, 0),
        .bytes = wire->data.len,
    };
}

/* One piece, of fewer rows than asked for if texts are long or vectors wide. */
static bool read_piece(const sw_table *table, const wire_field *field, size_t offset, uint32_t *rows, sw_column *piece) {
    contract_string_t name = field->name;
    for (;; *rows /= 2) {
        wire_column wire;
        sw_error error;
        if (stepwell_data_tables_method_table_read(borrowed(table), &name, offset, *rows, &wire, &error)) {
            *piece = from_wire(&wire, field->nullable);
            return true;
        }
        if (error.tag != STEPWELL_PLATFORM_ERRORS_ERROR_BUDGET_EXCEEDED || *rows < 2) {
            sw_fail(&error);
            return false;
        }
    }
}

static void append_texts(sw_column *whole, const sw_column *piece) {
    for (size_t row = 0; row < piece->length; row++) {
        sw_text text = sw_text_at(piece, row);
        if (sw_has(piece, row)) {
            sw_push_text(whole, text.data, text.length);
        } else {
            sw_push_null(whole);
        }
    }
}

/* Puts a piece at its place among the rows of a whole column of numbers. */
static void place(sw_column *whole, size_t at, const sw_column *piece) {
    if (whole->type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_BOOLEAN) {
        copy_bits(whole->bits, at, piece->bits, 0, piece->length);
    } else {
        memcpy((char *)whole->data + bytes_of(whole->type, at), piece->data, bytes_of(whole->type, piece->length));
    }
    if (!piece->validity) return;
    if (!whole->validity) {
        size_t bytes = whole->length / 8 + 1;
        whole->validity = memset(sw_alloc(bytes), 0xff, bytes);
    }
    copy_bits(whole->validity, at, piece->validity, 0, piece->length);
}

static sw_column read_all(const sw_table *table, const wire_field *field, size_t offset, size_t rows) {
    uint32_t step = rows < PIECE_ROWS ? (uint32_t)rows : PIECE_ROWS;
    sw_column piece;
    if (!read_piece(table, field, offset, &step, &piece)) return zeros(field->data_type, rows);
    if (piece.length >= rows || piece.length == 0) return piece;
    bool text = is_text(field->data_type);
    sw_column whole = zeros(field->data_type, text ? 0 : rows);
    whole.nullable = field->nullable;
    for (size_t at = 0;;) {
        text ? append_texts(&whole, &piece) : place(&whole, at, &piece);
        at += piece.length;
        sw_free_column(&piece);
        if (at >= rows) return whole;
        if (step > rows - at) step = (uint32_t)(rows - at);
        bool is_read = read_piece(table, field, offset + at, &step, &piece);
        if (!is_read || piece.length == 0) return zeros(field->data_type, rows);
    }
}

static size_t rows_from(const sw_table *table, size_t offset, size_t rows) {
    size_t all = sw_rows(table), after = offset < all ? all - offset : 0;
    return rows < after ? rows : after;
}

sw_column sw_read_any(const sw_table *table, const char *column, size_t offset, size_t rows) {
    wire_field field;
    rows = rows_from(table, offset, rows);
    if (sw_failed() || !find_field(table, column, &field)) return zeros(SW_FLOAT64, rows);
    return read_all(table, &field, offset, rows);
}

sw_column sw_read_rows(const sw_table *table, const char *column, sw_type type, size_t offset, size_t rows) {
    wire_field field;
    rows = rows_from(table, offset, rows);
    if (sw_failed() || !find_field(table, column, &field)) return zeros(type, rows);
    if (same_type(field.data_type, type)) return read_all(table, &field, offset, rows);
    sw_invalid(column, "expected `%s`, got `%s`", type_name(type), type_name(field.data_type));
    return zeros(type, rows);
}

sw_column sw_read(const sw_table *table, const char *column, sw_type type) {
    return sw_read_rows(table, column, type, 0, SIZE_MAX);
}

/* ---- writing ---- */

struct sw_named {
    contract_string_t name;
    sw_column column;
};

void sw_add(sw_columns *columns, const char *name, sw_column column) {
    SW_PUSH(columns, (struct sw_named){sw_copied(name), column});
}

static contract_list_u8_t bytes(const void *data, size_t length) { return (contract_list_u8_t){(uint8_t *)data, length}; }

static contract_list_u8_t bits(const uint8_t *from, size_t start, size_t rows) {
    uint8_t *made = sw_alloc(rows / 8 + 1);
    copy_bits(made, 0, from, start, rows);
    return bytes(made, rows / 8 + (rows % 8 != 0));
}

/* Rows of a column as the contract has them: bits and offsets begin anew. */
static wire_column to_wire(const sw_column *column, size_t start, size_t rows) {
    wire_column wire = {.data_type = column->type, .length = (uint32_t)rows};
    if (column->validity) wire.validity = (contract_option_list_u8_t){true, bits(column->validity, start, rows)};
    if (column->type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_BOOLEAN) {
        wire.data = bits(column->bits, start, rows);
    } else if (is_text(column->type)) {
        int32_t first = column->offsets[start], *offsets = sw_alloc(4 * (rows + 1));
        for (size_t row = 0; row <= rows; row++) offsets[row] = column->offsets[start + row] - first;
        wire.offsets = (contract_option_list_u8_t){true, bytes(offsets, 4 * (rows + 1))};
        wire.data = bytes(column->chars + first, (size_t)offsets[rows]);
    } else {
        wire.data = bytes((char *)column->data + bytes_of(column->type, start), bytes_of(column->type, rows));
    }
    return wire;
}

static void free_wire(const wire_column *wire) {
    if (wire->validity.is_some) sw_free(wire->validity.val.ptr);
    if (wire->offsets.is_some) sw_free(wire->offsets.val.ptr);
    if (wire->data_type.tag == STEPWELL_DATA_TABLES_DATA_TYPE_BOOLEAN) sw_free(wire->data.ptr);
}

static size_t row_bytes(const sw_column *column, size_t row) {
    return is_text(column->type) ? 4 + sw_text_at(column, row).length : bytes_of(column->type, 1);
}

static size_t piece_end(const sw_columns *columns, size_t start, size_t rows) {
    size_t end = start;
    for (size_t sum = 0; end < rows && end - start < PIECE_ROWS; end++) {
        for (size_t at = 0; at < columns->count; at++) sum += row_bytes(&columns->items[at].column, end);
        if (sum > PIECE_BYTES && end > start) break;
    }
    return end;
}

static void append_piece(sw_writer *writer, const sw_columns *columns, size_t start, size_t end) {
    stepwell_data_tables_list_column_t wires = {sw_alloc(columns->count * sizeof(wire_column)), columns->count};
    stepwell_data_tables_borrow_table_writer_t handle = {writer->handle.__handle};
    sw_error error;
    for (size_t at = 0; at < wires.len; at++) wires.ptr[at] = to_wire(&columns->items[at].column, start, end - start);
    if (!stepwell_data_tables_method_table_writer_append(handle, &wires, &error)) sw_fail(&error);
    for (size_t at = 0; at < wires.len; at++) free_wire(&wires.ptr[at]);
    sw_free(wires.ptr);
}

static void open_writer(sw_writer *writer, const sw_columns *columns) {
    stepwell_data_tables_list_field_t fields = {sw_alloc(columns->count * sizeof(wire_field)), columns->count};
    sw_error error;
    for (size_t at = 0; at < fields.len; at++) {
        const struct sw_named *one = &columns->items[at];
        fields.ptr[at] = (wire_field){one->name, one->column.type, one->column.nullable || one->column.validity};
    }
    writer->open = stepwell_data_tables_static_table_writer_create(&fields, &writer->handle, &error);
    if (!writer->open) sw_fail(&error);
}

void sw_append(sw_writer *writer, const sw_columns *columns) {
    size_t rows = columns->count ? columns->items[0].column.length : 0;
    for (size_t at = 0; at < columns->count; at++) {
        const struct sw_named *one = &columns->items[at];
        if (one->column.length == rows) continue;
        sw_invalid(sw_c_string(one->name), "expected %zu rows as in the first column, got %zu", rows, one->column.length);
    }
    if (!sw_failed() && !writer->open) open_writer(writer, columns);
    for (size_t start = 0, end; !sw_failed() && start < rows; start = end) {
        end = piece_end(columns, start, rows);
        append_piece(writer, columns, start, end);
    }
}

/* What an import gave, or nothing. */
static sw_table *given(bool done, stepwell_data_tables_own_table_t table, const sw_error *error) {
    if (!done) sw_fail(error);
    return sw_table_from(done ? table.__handle : 0);
}

sw_table *sw_finish(sw_writer *writer) {
    stepwell_data_tables_own_table_t table;
    sw_error error;
    if (!writer->open && !sw_failed()) open_writer(writer, &(sw_columns){0});
    if (!writer->open) return sw_table_from(0);
    writer->open = false;
    return given(stepwell_data_tables_static_table_writer_finish(writer->handle, &table, &error), table, &error);
}

sw_table *sw_table_of(const sw_columns *columns) {
    sw_writer writer = {0};
    sw_append(&writer, columns);
    return sw_finish(&writer);
}

sw_table *sw_with(const sw_table *table, const sw_columns *columns) {
    if (columns->count == 0) return sw_slice(table, 0, SIZE_MAX);
    sw_table *added = sw_table_of(columns);
    stepwell_data_tables_own_table_t made;
    sw_error error;
    if (sw_failed()) return sw_table_from(0);
    bool done = stepwell_data_tables_method_table_with_columns(borrowed(table), borrowed(added), &made, &error);
    sw_drop(added);
    return given(done, made, &error);
}

sw_table *sw_select(const sw_table *table, const char *const *columns, size_t count) {
    contract_list_string_t names = {sw_alloc(count * sizeof(contract_string_t)), count};
    stepwell_data_tables_own_table_t made;
    sw_error error;
    for (size_t at = 0; at < count; at++) names.ptr[at] = sw_given(columns[at]);
    if (sw_failed()) return sw_table_from(0);
    return given(stepwell_data_tables_method_table_select(borrowed(table), &names, &made, &error), made, &error);
}

sw_table *sw_take(const sw_table *table, uint64_t *rows, size_t count) {
    contract_list_u64_t positions = {rows, count};
    stepwell_data_tables_own_table_t made;
    sw_error error;
    if (sw_failed()) return sw_table_from(0);
    return given(stepwell_data_tables_method_table_take(borrowed(table), &positions, &made, &error), made, &error);
}

sw_table *sw_slice(const sw_table *table, size_t offset, size_t rows) {
    if (sw_failed() || !sw_table_handle(table)) return sw_table_from(0);
    return sw_table_from(stepwell_data_tables_method_table_slice(borrowed(table), offset, rows).__handle);
}
