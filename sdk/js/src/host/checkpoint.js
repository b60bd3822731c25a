// `stepwell:platform/checkpoint` where there is no host: kept until the process ends.

let saved = null;

export function save(state) {
    saved = state.slice();
}

export function load() {
    return saved;
}
