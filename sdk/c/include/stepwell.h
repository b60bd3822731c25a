/* Steps in C: columns, tables, parameters, errors and the roles of a plugin. README.md shows a whole step.
 *
 * Memory: what a function here returns, and what sw_alloc gives, lives until the host's call ends; nobody frees it. What must
 * live longer (what a fitted step learnt, a loaded model) comes from sw_keep. Texts given to a function are copied by it,
 * columns and tables are not.
 *
 * Errors: the first error of a call is the call's result. After it every function here still returns something safe to use
 * (a column of zeros with a row for each of the table's, 0, ""), so a step need not check after each line.
 */
#ifndef STEPWELL_H
#define STEPWELL_H

#include "contract.h" /* generated from wit/ by wit-bindgen; what is not wrapped here (tensors) is called by its names */

/* ---- memory ---- */

void *sw_alloc(size_t bytes); /* zeroed, until the call ends; never NULL */
void *sw_keep(size_t bytes);  /* zeroed; in fit, restore and load: as long as the host keeps what they return */
void sw_free(void *block);    /* gives back early what sw_alloc gave; NULL is fine */
const char *sw_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- errors: what is wrong with the input is an error, never a crash ---- */

void sw_invalid(const char *name, const char *reason, ...) __attribute__((format(printf, 2, 3)));
void sw_permanent(const char *reason, ...) __attribute__((format(printf, 1, 2)));
void sw_transient(uint64_t retry_after_ms, const char *reason, ...) __attribute__((format(printf, 2, 3)));
bool sw_failed(void);

/* ---- reports, seed, time ---- */

typedef enum { SW_DEBUG, SW_INFO, SW_WARN, SW_ERROR } sw_level;
void sw_log(sw_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sw_progress(uint64_t done, uint64_t total); /* total 0: unknown */
void sw_metric(const char *name, double value, uint64_t index);
uint64_t sw_seed(void);
int64_t sw_logical_time(void); /* microseconds since 1970 in UTC */

/* ---- columns: Arrow's buffers, this step's own copy, so values may be changed in place ---- */

typedef stepwell_data_tables_data_type_t sw_type;
#define SW_BOOLEAN ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_BOOLEAN})     /* bits, see sw_bool_at */
#define SW_INT64 ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_INT64})         /* i64 */
#define SW_FLOAT32 ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_FLOAT32})     /* f32 */
#define SW_FLOAT64 ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_FLOAT64})     /* f64 */
#define SW_TEXT ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_TEXT})           /* see sw_text_at */
#define SW_BYTES ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_BYTES})         /* see sw_text_at */
#define SW_TIMESTAMP ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_TIMESTAMP}) /* i64: microseconds since 1970 in UTC */
#define SW_DATE ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_DATE})           /* i32: days since 1970 */
#define SW_VECTOR(width) ((sw_type){.tag = STEPWELL_DATA_TABLES_DATA_TYPE_VECTOR, .val.vector = (width)}) /* f32, row-major */

typedef struct {
    sw_type type;
    bool nullable; /* by the column's kind, not by the rows at hand, or two pages differ */
    size_t length; /* rows */
    uint8_t *validity; /* a bit a row, set where there is a value; NULL: in every row. See sw_has */
    int32_t *offsets;  /* text and bytes: length + 1 */
    union {
        void *data;
        uint8_t *bits;
        int64_t *i64;
        int32_t *i32;
        float *f32;
        double *f64;
        char *chars;
    };
    size_t bytes, byte_room, row_room; /* text and bytes: of data; as sw_push_text keeps them */
} sw_column;

typedef struct {
    const char *data; /* not ended by a zero */
    size_t length;
} sw_text;

static inline bool sw_bit(const uint8_t *bits, size_t at) { return bits[at / 8] >> (at % 8) & 1; }
static inline bool sw_has(const sw_column *column, size_t row) { return !column->validity || sw_bit(column->validity, row); }
static inline bool sw_bool_at(const sw_column *column, size_t row) { return sw_bit(column->bits, row); }
static inline sw_text sw_text_at(const sw_column *column, size_t row) {
    int32_t start = column->offsets[row];
    return (sw_text){column->chars + start, (size_t)(column->offsets[row + 1] - start)};
}
bool sw_equal(sw_text text, const char *other);
sw_text sw_text_of(const char *text);

sw_column sw_new(sw_type type, size_t rows); /* zeros, a value in every row; a text column begins with 0 rows */
void sw_set_bool(sw_column *column, size_t row, bool value);
void sw_set_null(sw_column *column, size_t row); /* the column is nullable from then on */
void sw_push_text(sw_column *column, const char *data, size_t length); /* appends a row to a text or bytes column */
void sw_push_null(sw_column *column);                                  /* the same, a null */
sw_column sw_may_be_null(sw_column column);                            /* nullable, whether or not it holds a null */

/* ---- tables: rows that stay in the host ---- */

typedef struct sw_table sw_table; /* a handle; dropped when the call ends, unless it was returned */

typedef struct { /* columns on their way to a table: sw_columns out = {0}; sw_add(&out, "x", column); */
    struct sw_named *items;
    size_t count, capacity;
} sw_columns;

size_t sw_rows(const sw_table *table);
stepwell_data_tables_list_field_t sw_schema(const sw_table *table);
sw_column sw_read(const sw_table *table, const char *column, sw_type type); /* all rows; another type is an error */
sw_column sw_read_rows(const sw_table *table, const char *column, sw_type type, size_t offset, size_t rows);
sw_column sw_read_any(const sw_table *table, const char *column, size_t offset, size_t rows); /* whatever its type */
void sw_free_column(sw_column *column); /* early, for tables larger than memory */

void sw_add(sw_columns *columns, const char *name, sw_column column);
sw_table *sw_table_of(const sw_columns *columns);
sw_table *sw_with(const sw_table *table, const sw_columns *columns); /* the same name replaces, a new one is appended */
sw_table *sw_select(const sw_table *table, const char *const *columns, size_t count);
sw_table *sw_take(const sw_table *table, uint64_t *rows, size_t count);
sw_table *sw_slice(const sw_table *table, size_t offset, size_t rows);
void sw_drop(sw_table *table); /* early */

typedef struct { /* a table larger than memory: sw_writer w = {0}; sw_append(&w, &columns); ..; sw_finish(&w) */
    stepwell_data_tables_own_table_writer_t handle;
    bool open;
} sw_writer;
void sw_append(sw_writer *writer, const sw_columns *columns);
sw_table *sw_finish(sw_writer *writer);

/* ---- JSON: parameters and saved states. A value of another kind than asked for is an error that names it ---- */

typedef struct sw_json sw_json;

const sw_json *sw_parameters(void);
const sw_json *sw_parse(sw_text text, const char *what);
const sw_json *sw_member(const sw_json *object, const char *key); /* NULL when absent */
size_t sw_count(const sw_json *list);                             /* 0 for NULL */
const sw_json *sw_item(const sw_json *list, size_t at);
double sw_as_number(const sw_json *value);
const char *sw_as_string(const sw_json *value);
double sw_number(const sw_json *object, const char *key, double otherwise);
int64_t sw_integer(const sw_json *object, const char *key, int64_t otherwise);
bool sw_truth(const sw_json *object, const char *key, bool otherwise);
const char *sw_string(const sw_json *object, const char *key, const char *otherwise);
const char *sw_exact(double value); /* as text that reads back to the same bits; not-a-number and infinity are errors */
const char *sw_numbers(const double *values, size_t count); /* "[1, 2.5]", the same for a list */
const char *sw_quoted(const char *text);                    /* "\"text\"" */

/* ---- files: those of a saved state, and those that a grant opened ---- */

typedef struct {
    stepwell_step_types_saved_file_t *items;
    size_t count, capacity;
} sw_files;
void sw_save(sw_files *files, const char *name, const void *data, size_t length);
void sw_save_text(sw_files *files, const char *name, const char *text);
sw_text sw_saved(const sw_files *files, const char *name); /* an absent one is an error */

typedef stepwell_platform_files_own_file_t sw_file;
sw_file sw_open(const char *path);
uint64_t sw_file_size(sw_file file);
sw_text sw_file_read(sw_file file, uint64_t offset, uint32_t length); /* at most 4 MiB; fewer at the end */
void sw_file_close(sw_file file);

void sw_checkpoint(const void *state, size_t length);
bool sw_resume(sw_text *state); /* false on a first attempt */

/* ---- description: what a plugin needs and gives. Every plugin has SW_DESCRIBE(describe) ---- */

typedef struct {
    stepwell_data_tables_field_t *items;
    size_t count, capacity;
} sw_fields;
void sw_field(sw_fields *fields, const char *name, sw_type type, bool nullable); /* the same name replaces */

typedef struct sw_description sw_description;
void sw_about(sw_description *about, const char *name, const char *version, const char *summary);
void sw_parameter_schema(sw_description *about, const char *json_schema); /* without it a plugin takes none */
#define SW_JSON(...) #__VA_ARGS__ /* JSON as it is written: SW_JSON({"type": "object"}) */
void sw_learns(sw_description *about); /* fitted: fit learns something */
void sw_reads(sw_description *about, const char *port, const char *column, sw_type type);
void sw_input(sw_description *about, const char *port);                  /* a port of which no column is read by name */
sw_fields sw_wired(const sw_description *about, const char *port);       /* what stands there; empty while unknown */
sw_fields *sw_output_same(sw_description *about, const char *port, const char *input);   /* row by row, with its columns */
sw_fields *sw_output_subset(sw_description *about, const char *port, const char *input); /* some rows, with its columns */
sw_fields *sw_output(sw_description *about, const char *port);                           /* anything else */

/* A learner: it reads features and label, and gives what is put here. With `sw_input(about, "label")` it needs a label, and with
 * `sw_input(about, "initial")` it goes on from a model. */
sw_fields *sw_predicts(sw_description *about);

#define SW_MARK(name) __attribute__((used)) static const char sw_is_##name[] = "stepwell-role:" #name
#define SW_DESCRIBE(describe)  \
    SW_MARK(description);      \
    void (*const sw_describe)(sw_description *) = (describe)

/* ---- roles: a plugin names its functions once; it has the roles that it names ---- */

#define SW_ROLE(name, ...) \
    SW_MARK(name);         \
    const sw_role_##name sw_##name = {__VA_ARGS__}

/* Row by row, with what fit learnt: SW_FITTED(fit, save, restore, apply). A step that learns nothing gives NULL for the first
 * three; apply then gets NULL. */
typedef struct {
    void *(*fit)(sw_table *rows);
    void (*save)(const void *learnt, sw_files *files);
    void *(*restore)(const sw_files *files);
    sw_table *(*apply)(const void *learnt, sw_table *rows);
} sw_role_fitted;
#define SW_FITTED(...) SW_ROLE(fitted, __VA_ARGS__)

/* Tables by port to tables by port: SW_TRANSFORMER(run). */
typedef struct {
    struct sw_port {
        const char *name;
        sw_table *table;
    } *items;
    size_t count, capacity;
} sw_tables;
sw_table *sw_port(const sw_tables *tables, const char *name); /* an absent one is an error and an empty table */
void sw_put(sw_tables *tables, const char *name, sw_table *table);
typedef struct {
    void (*run)(const sw_tables *inputs, sw_tables *outputs);
} sw_role_transformer;
#define SW_TRANSFORMER(...) SW_ROLE(transformer, __VA_ARGS__)

/* Rows from outside, a page at a time: SW_COLLECTOR(discover, read). */
typedef struct {
    sw_table *table;
    sw_text next; /* where the next page begins, in the collector's own terms */
    bool more, restarted;
} sw_page;
typedef struct {
    void (*discover)(sw_fields *columns);
    void (*read)(const sw_text *cursor, sw_page *page); /* cursor NULL: the first page */
} sw_role_collector;
#define SW_COLLECTOR(...) SW_ROLE(collector, __VA_ARGS__)

/* Judges data: SW_VALIDATOR(check). What is wrong with the data is a finding, never an error. */
typedef struct {
    const char *check, *column; /* column may be NULL */
    bool error;                 /* a failed one stops the run; else it is a warning */
    bool passed;
    const char *observed, *expected;
    uint64_t *sample; /* at most 20 rows */
    size_t sample_count;
} sw_finding;
typedef struct {
    exports_stepwell_step_validator_finding_t *items;
    size_t count, capacity;
} sw_findings;
void sw_found(sw_findings *findings, sw_finding finding);
typedef struct {
    void (*check)(sw_table *rows, sw_table *reference, sw_findings *findings); /* reference may be NULL */
} sw_role_validator;
#define SW_VALIDATOR(...) SW_ROLE(validator, __VA_ARGS__)

/* Learns a model, and answers with it: SW_TRAINER(train) and SW_PREDICTOR(load, predict). */
typedef struct {
    sw_table *train, *validation; /* validation may be NULL */
    const char *const *features;
    size_t feature_count;
    const char *label, *weight; /* may be NULL; a label that `describe` needs is not */
    const sw_files *initial;    /* may be NULL */
} sw_training;
typedef struct {
    sw_files files;
    sw_fields inputs, outputs; /* what the predictor reads and gives */
    struct {
        exports_stepwell_step_trainer_measure_t *items;
        size_t count, capacity;
    } measures;
} sw_trained;
void sw_measured(sw_trained *trained, const char *name, double value);
typedef struct {
    void (*train)(const sw_training *training, sw_trained *trained);
} sw_role_trainer;
#define SW_TRAINER(...) SW_ROLE(trainer, __VA_ARGS__)
typedef struct {
    void *(*load)(const sw_files *files);
    sw_table *(*predict)(const void *model, sw_table *rows);
} sw_role_predictor;
#define SW_PREDICTOR(...) SW_ROLE(predictor, __VA_ARGS__)

/* Measures predictions: SW_EVALUATOR(evaluate). */
typedef struct {
    const char *name, *slice; /* slice NULL: all rows */
    double value;
    const double *interval, *baseline, *difference; /* low and high; one value; low and high; each may be NULL */
} sw_measure;
typedef struct {
    exports_stepwell_step_evaluator_measure_t *items;
    size_t count, capacity;
} sw_measures;
void sw_add_measure(sw_measures *measures, sw_measure measure);
typedef struct {
    void (*evaluate)(sw_table *candidate, sw_table *baseline, const char *const *slices, size_t slice_count, sw_measures *measures);
} sw_role_evaluator;
#define SW_EVALUATOR(...) SW_ROLE(evaluator, __VA_ARGS__)

/* Brings something out: SW_SINK(deliver). What it can take are its ports: sw_input(about, "table"), "report", "model". An
 * attempt that was cut off is followed by another with the same key: deliver once for each. */
typedef struct { /* what stands on the one port that the pipeline wires; the others are NULL */
    sw_table *table;
    const char *report;    /* a JSON array of measures or findings: sw_parse(sw_text_of(..), "report") */
    const sw_files *model; /* the trainer's files, and .. */
    const char *about;     /* .. its signature, measures and plugin as a JSON object */
} sw_delivery;
typedef struct {
    const char *location; /* where it lies now, for people; required */
    bool repeated;        /* whether an earlier attempt had delivered it */
} sw_receipt;
typedef struct {
    void (*deliver)(const char *key, const sw_delivery *delivery, sw_receipt *receipt);
} sw_role_sink;
#define SW_SINK(...) SW_ROLE(sink, __VA_ARGS__)

#endif
