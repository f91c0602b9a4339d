// Runs one expression, function body or file over an output. Reads JSON from standard input, and writes one line:
// {"result": …} or {"error": "…"}. What the code prints goes to standard error.
const { readFileSync, writeSync } = require('fs');
const { pathToFileURL } = require('url');
console.log = console.info = console.debug = console.error;

const find = (module, name) => {
  if (name) {
    const found = name.split('.').reduce((at, step) => at?.[step], module) ?? module.default?.[name];
    if (typeof found === 'function') return found;
    throw new Error(`there is no function ${name} in it`);
  }
  const found = [module, module.default, module.default?.default].find((one) => typeof one === 'function');
  if (found) return found;
  throw new Error('it exports no function');
};

const main = async () => {
  const { code, file, function: name, output, context } = JSON.parse(readFileSync(0, 'utf8'));
  if (file) return find(await import(pathToFileURL(file).href), name)(output, context);
  const isBody = code.includes('\n') || /^\s*(return|const|let|var|if|for|try|throw)\b/.test(code);
  const body = isBody ? code : `return ${code}`;
  const made = new Function('output', 'context', 'require', 'process', body);
  return made(output, context, require, { ...process, mainModule: { require } });
};

const say = (answer) => writeSync(1, `${JSON.stringify(answer)}\n`);
main().then(
  (result) => say({ result: result === undefined ? null : result }),
  (error) => say({ error: String(error?.message ?? error) }),
).finally(() => process.exit(0));
