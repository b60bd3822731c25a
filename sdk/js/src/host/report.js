// `stepwell:platform/report` where there is no host: a log line goes to the standard error, the rest nowhere.

export function log(level, message) {
    process.stderr.write(`${level}: ${message}\n`);
}

export function progress() {}

export function metric() {}
