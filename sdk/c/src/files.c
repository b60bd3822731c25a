/* Files of a saved state, files that a grant opened, checkpoints. */
#include <string.h>

#include "internal.h"

static contract_list_u8_t copied(const void *data, size_t length) {
    contract_list_u8_t copy = {sw_alloc(length), length};
    if (length) memcpy(copy.ptr, data, length);
    return copy;
}

void sw_save(sw_files *files, const char *name, const void *data, size_t length) {
    SW_PUSH(files, (stepwell_step_types_saved_file_t){sw_copied(name), copied(data, length)});
}

void sw_save_text(sw_files *files, const char *name, const char *text) { sw_save(files, name, text, strlen(text)); }

sw_text sw_saved(const sw_files *files, const char *name) {
    for (size_t at = 0; at < files->count; at++) {
        const stepwell_step_types_saved_file_t *file = &files->items[at];
        if (!sw_equal((sw_text){(const char *)file->name.ptr, file->name.len}, name)) continue;
        return (sw_text){(const char *)file->content.ptr, file->content.len};
    }
    sw_invalid(name, "expected a saved file of this name, got %zu of other names", files->count);
    return (sw_text){"", 0};
}

static stepwell_platform_files_borrow_file_t borrowed(sw_file file) {
    return (stepwell_platform_files_borrow_file_t){file.__handle};
}

sw_file sw_open(const char *path) {
    contract_string_t given = sw_given(path);
    sw_file file = {0};
    sw_error error;
    if (!sw_failed() && !stepwell_platform_files_open(&given, &file, &error)) sw_fail(&error);
    return file;
}

uint64_t sw_file_size(sw_file file) { return file.__handle ? stepwell_platform_files_method_file_size(borrowed(file)) : 0; }

sw_text sw_file_read(sw_file file, uint64_t offset, uint32_t length) {
    contract_list_u8_t read;
    sw_error error;
    if (sw_failed() || !file.__handle) return (sw_text){"", 0};
    if (stepwell_platform_files_method_file_read(borrowed(file), offset, length, &read, &error))
        return (sw_text){(const char *)read.ptr, read.len};
    sw_fail(&error);
    return (sw_text){"", 0};
}

void sw_file_close(sw_file file) {
    if (file.__handle) stepwell_platform_files_file_drop_own(file);
}

void sw_checkpoint(const void *state, size_t length) {
    contract_list_u8_t given = {(uint8_t *)state, length};
    sw_error error;
    if (!sw_failed() && !stepwell_platform_checkpoint_save(&given, &error)) sw_fail(&error);
}

bool sw_resume(sw_text *state) {
    contract_list_u8_t loaded;
    if (!stepwell_platform_checkpoint_load(&loaded)) return false;
    *state = (sw_text){(const char *)loaded.ptr, loaded.len};
    return true;
}
