/* What the C library asks of a system, answered here: a step has none. What is printed goes to the log, an exit is a crash;
 * whatever else a step uses of a system (files, clocks) stays an import, which the build refuses by its name. */
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

int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t file, int32_t pieces, int32_t count, int32_t written) {
    const struct {
        const char *data;
        size_t length;
    } *piece = (const void *)pieces;
    if (file != 1 && file != 2) return NO_SUCH_FILE;
    size_t all = 0;
    for (int32_t at = 0; at < count; all += piece[at++].length) {
        if (piece[at].length) sw_log(file == 1 ? SW_INFO : SW_WARN, "%.*s", (int)piece[at].length, piece[at].data);
    }
    *(size_t *)written = all;
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
    (void)file, (void)status;
    return NO_SUCH_FILE;
}
