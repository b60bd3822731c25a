// `stepwell:platform/http` where there is no host: natively no step reaches the network.

export function fetch({ method, url }) {
    throw { payload: { tag: "denied", val: `no grant covers ${method} ${url}: a step that runs natively has none` } };
}
