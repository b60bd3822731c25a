// Lets node find `stepwell` in a folder where nothing is installed: `node --import ./.stepwell-sdk/sdk/js/register.js`.

import { register } from "node:module";

const places = { stepwell: "./src/index.js", "stepwell/tensor": "./src/tensor.js" };
const urls = Object.fromEntries(Object.entries(places).map(([name, path]) => [name, new URL(path, import.meta.url).href]));
const hooks = `const urls = ${JSON.stringify(urls)};
export const resolve = (name, context, next) => (name in urls ? { url: urls[name], shortCircuit: true } : next(name, context));`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
