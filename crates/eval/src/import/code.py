# Runs one expression, function body or file over an output. Reads JSON from standard input, and writes one line:
# {"result": ...} or {"error": "..."}. What the code prints goes to standard error.
import asyncio, importlib.util, inspect, json, os, sys, textwrap

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def call(given):
    output, context = given["output"], given["context"]
    if given.get("file"):
        path = given["file"]
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("code", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = module
        for step in (given.get("function") or given["usual"]).split("."):
            function = getattr(function, step)
        result = function(output, context)
    else:
        code = given["code"]
        body = textwrap.indent(code, "    ") if "\n" in code else "    return " + code
        scope = {"json": json}
        exec("def main(output, context):\n" + body, scope)
        result = scope["main"](output, context)
    return asyncio.run(result) if inspect.isawaitable(result) else result


try:
    answer = json.dumps({"result": call(json.load(sys.stdin))}, default=vars)
except Exception as error:
    answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
answers.write(answer + "\n")
answers.flush()
