// Requests that a grant allows, made by the server for the step.

import { call } from "./errors.js";
import * as http from "./host/http.js";
import { placeholder } from "./host/secrets.js";
import * as utf8 from "./utf8.js";

/** The answer to a request. One that says no, such as 404, is an answer. */
class Response {
    constructor({ status, headers, body }) {
        this.status = status;
        this.headers = Object.fromEntries(headers);
        this.body = body;
    }

    text() {
        return utf8.decode(this.body);
    }

    json() {
        return JSON.parse(this.text());
    }
}

/** Sends a request that `grants.http` covers, and waits for the whole answer. A body is text or bytes. */
export function fetch(url, { method = "GET", headers = {}, body = "", timeoutMs = 0 } = {}) {
    const given = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    const bytes = typeof body === "string" ? utf8.encode(body) : body;
    return new Response(call(() => http.fetch({ method, url, headers: given, body: bytes, timeout: timeoutMs })));
}

/** A text that stands for a secret in headers and bodies of requests; the server puts the value in, at the edge. */
export function secret(name) {
    return call(() => placeholder(name));
}
