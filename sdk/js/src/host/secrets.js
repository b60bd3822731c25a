// `stepwell:platform/secrets` where there is no host: a text that is worth nothing.

export function placeholder(name) {
    return `placeholder of ${name}`;
}
