/* What the C library asks of a system, answered here: a step has none. What is printed goes to the log, an exit is a
 * crash; whatever else a step uses of a system (files, clocks) stays an import, which the build refuses by its name. */
#include <string.h>

#include "internal.h"

#define NO_SUCH_FILE 8 /* WASI's errno `badf` */

/* The symbols of the C library's imports; one that is defined is imported no more. */
_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t code);
int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t file, int32_t pieces, int32_t count, int32_t written);
int32_t __imported_wasi_snapshot_preview1_fd_close(int32_t file);
int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t file, int64_t offset, int32_t from, int32_t at);
int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(int32_t file, int32_t status);

void __imported_wasi_snapshot_preview1_proc_exit(int32_t code) {
    (void)code;
    __builtin_trap();
}

/* A line of the log for each line of the text. */
static void log_lines(sw_level level, const char *text, size_t length) {
    while (length) {
        const char *end = memchr(text, '\n', length);
        size_t line = end ? (size_t)(end - text) : length;
        if (line) sw_log(level, "%.*s", (int)line, text);
        line += end != NULL;
        text += line;
        length -= line;
    }
}

int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t file, int32_t pieces, int32_t count, int32_t written) {
    const struct {
        const char *data;
        size_t length;
    } *piece = (const void *)pieces;
    if (file != 1 && file != 2) return NO_SUCH_FILE;
    sw_column text = sw_new(SW_TEXT, 0); /* its bytes grow by doubling */
    for (int32_t at = 0; at < count; at++) sw_push_text(&text, piece[at].data, piece[at].length);
    log_lines(file == 1 ? SW_INFO : SW_WARN, text.chars, text.bytes);
    *(size_t *)written = text.bytes;
    sw_free_column(&text);
    return 0;
}

int32_t __imported_wasi_snapshot_preview1_fd_close(int32_t file) {
    (void)file;
    return NO_SUCH_FILE;
}

int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t file, int64_t offset, int32_t from, int32_t at) {
    (void)file, (void)offset, (void)from, (void)at;
    return NO_SUCH_FILE;
}

int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(int32_t file, int32_t status) {
    static const uint8_t TERMINAL[24] = {2}; /* so that the C library hands on each line when it ends */
    if (file != 1 && file != 2) return NO_SUCH_FILE;
    memcpy((void *)status, TERMINAL, sizeof TERMINAL);
    return 0;
}
